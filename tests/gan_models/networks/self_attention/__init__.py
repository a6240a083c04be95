"""Tests of networks with self-attention."""
