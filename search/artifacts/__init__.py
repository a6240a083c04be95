"""A study's files, local or behind a URL."""
