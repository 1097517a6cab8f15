"""*Layers > Transform > Apply registration*: other layers through a result or a transform file."""
