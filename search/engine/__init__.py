"""The search loop: ask, run, tell, record."""
