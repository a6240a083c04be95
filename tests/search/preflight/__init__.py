"""Tests of the checks before a search, and of the estimate of its hours."""
