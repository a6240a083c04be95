"""Texts for users: numbers as words, and similar names."""
