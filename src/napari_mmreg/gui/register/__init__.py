"""The *Register* dock: choose, run, look, save."""
