"""Generators and discriminators, and the catalog that builds them by name."""
