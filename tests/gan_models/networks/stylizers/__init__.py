"""Tests of generators of larger images."""
