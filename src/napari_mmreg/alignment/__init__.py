"""Aligning a pair without asking a model: levels, coarse to fine, Lucas-Kanade, elastic."""
