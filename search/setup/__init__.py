"""A study's configuration resolved against its network and data."""
