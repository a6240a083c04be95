"""A page of its own for a benchmark: ratios, attainment curves, hypervolume and all tables."""
