"""Results of a benchmark: trials as rows, statistics of paired runs, comparisons, fronts, tables. Knows no study."""
