"""Results of a benchmark: rows of trials, paired statistics, comparisons, fronts, tables. Independent of studies."""
