"""Executors and workers: in this process, or on Ray."""
