"""Tests of stylization."""
