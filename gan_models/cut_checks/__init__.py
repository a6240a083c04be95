"""Comparison of cut networks with gated ones, which proves that a cut only removes channels."""
