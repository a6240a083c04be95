"""Pruning methods by name, and what they share."""
