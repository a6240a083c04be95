"""Output of the commands that score plans before any training."""
