"""Scores of plans before any training: a table of losses by width, a solver, and the search on reconstructed plans."""
