"""Training checkpoints and state dicts on disk."""
