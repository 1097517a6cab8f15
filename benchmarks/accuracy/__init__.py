"""Accuracy on pairs with known misalignments: `python -m benchmarks.accuracy`."""
