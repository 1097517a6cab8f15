"""*Layers > Register > Batch*: many pairs of files, without opening them."""
