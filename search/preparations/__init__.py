"""Artifacts that are made once per study and shared by its trials."""
