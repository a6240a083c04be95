"""Preparations that the first trial that needs them makes, kept by content."""
