"""Formats of runtimes for phones, small computers and edge accelerators; each needs an extra package."""
