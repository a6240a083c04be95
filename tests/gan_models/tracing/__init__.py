"""Tests of the graph and its channel labels."""
