"""Preparations that the first trial that needs them makes, cached by content."""
