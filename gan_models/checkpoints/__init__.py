"""Training states and state dicts on disk."""
