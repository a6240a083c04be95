"""Texts for people: numbers as words."""
