"""Tests of layers whose sizes follow from their weights."""
