"""Blocks that networks share: scans, sampling, correlation, matching, normalisation."""
