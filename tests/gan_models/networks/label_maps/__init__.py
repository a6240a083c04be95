"""Tests of generators from label maps."""
