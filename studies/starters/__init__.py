"""Files to start from: working code of each kind that a user may write, with its test."""
