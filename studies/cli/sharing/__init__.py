"""The commands that share bundles."""
