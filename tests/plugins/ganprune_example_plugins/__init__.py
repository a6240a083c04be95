"""Rows for ganprune's open tables: one file each, named by one entry point each in `pyproject.toml`."""
