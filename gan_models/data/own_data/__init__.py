"""Data of a user's own code: splits from an object by path, checked, and read like the pictures of files."""
