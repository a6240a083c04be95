"""Distances between sets of images, metrics of pairs, and their intervals."""
