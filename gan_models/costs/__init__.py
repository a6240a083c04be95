"""Costs of plans as functions of the groups' widths."""
