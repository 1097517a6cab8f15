"""The benchmark: known misalignments of real pairs, our models beside their peers, tables."""
