"""RegNetMamba-2: state-space matching of two sensors (Li et al., arXiv 2606.03341)."""
