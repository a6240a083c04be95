"""Counters of MACs and parameters, activation memory, and latency on a device."""
