"""Simulated trials on a response surface, and estimates of a search's hours."""
