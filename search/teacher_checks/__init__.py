"""Checks of a teacher that is made: does it work as the configuration says that it does."""
