"""Pruning methods by name, and their shared parts."""
