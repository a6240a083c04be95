"""Tests of generators that fill holes."""
