"""Comparison of cut networks with gated ones: the proof that a cut leaves channels out and does nothing else."""
