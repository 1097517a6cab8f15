"""The shared elastic stage (ours): learned channels and confidence in a B-spline solver."""
