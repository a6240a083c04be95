"""Cuts in several rounds of pruning and distillation."""
