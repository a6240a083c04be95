"""Plans of a study other than its trials: scored before any training, or given by a user for training."""
