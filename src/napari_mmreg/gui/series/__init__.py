"""*Layers > Register > Register stack or time series*: the planes of two layers."""
