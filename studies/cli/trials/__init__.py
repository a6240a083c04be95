"""Commands on one trial."""
