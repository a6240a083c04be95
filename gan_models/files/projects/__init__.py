"""Users' files that import neighboring files: found, read, and loaded separately from all other modules."""
