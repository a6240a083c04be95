"""Files of a user's that import their neighbors: found, read, and loaded apart from all other modules."""
