"""Resolution of a study's configuration against its network and data."""
