"""The *Evaluate* dock: measure registrations and compare models."""
