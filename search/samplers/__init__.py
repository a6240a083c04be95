"""Samplers by name, which draw the next point of a method's sub-space."""
