"""Encoders of images, samples of their features, and caches of both."""
