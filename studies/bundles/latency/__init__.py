"""Latency of a bundle by runtime and data type, dense against pruned."""
