"""HRNet: disentangle-then-align (Zhang et al., CVPR 2026, arXiv 2603.19623)."""
