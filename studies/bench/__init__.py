"""Benchmarks: contenders at equal cost and equal steps over tasks, budgets, teachers and seeds, one study per cell."""
