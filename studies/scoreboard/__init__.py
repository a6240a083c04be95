"""Published results next to a study's own, each only within one protocol."""
