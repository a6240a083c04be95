"""Artifacts made once per study and shared by its trials."""
