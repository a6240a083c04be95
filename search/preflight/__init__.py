"""Checks and estimate of a search before anything starts: what is wrong, what is noteworthy, how long it takes."""
