"""One recipe per system."""
