"""Scripts that measure accuracy, speed and memory; run them from the checkout's root."""
