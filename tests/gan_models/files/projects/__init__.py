"""Tests of files that import their neighbors."""
