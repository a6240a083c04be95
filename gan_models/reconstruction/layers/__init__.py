"""Least squares of single layers: recorded calls, calls as matrices, solves, and modulated convolutions."""
