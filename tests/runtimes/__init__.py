"""Formats and runtimes that are extras, over the catalog's networks."""
