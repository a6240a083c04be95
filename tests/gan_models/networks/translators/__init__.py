"""Tests of generators with a second input."""
