"""Plans of a study apart from its trials: scored before any training, or given by a user to be trained."""
