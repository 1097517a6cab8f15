"""Training: pairs, synthetic misalignment, appearance randomisation, one trainer, recipes."""
