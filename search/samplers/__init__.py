"""Samplers: how the next point of a method's sub-space is drawn, by name."""
