"""Runtimes for phones, small computers and edge accelerators; each needs an extra package."""
