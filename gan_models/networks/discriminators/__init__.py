"""Discriminators: networks that judge what a generator makes."""
