"""Outcome of a study: front, tables, plots."""
