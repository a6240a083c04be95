"""Exported generators: writing, card, verification, inference."""
