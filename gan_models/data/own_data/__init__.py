"""Data of a user's own code: what an object by path gives per split, checked, and read like the pictures of files."""
