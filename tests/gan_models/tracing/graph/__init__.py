"""Tests of a network's graph."""
