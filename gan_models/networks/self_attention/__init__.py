"""Generators and discriminators with self-attention over pixels."""
