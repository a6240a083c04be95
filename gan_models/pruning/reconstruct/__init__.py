"""The method `reconstruct`: widths found by the scores of plans before any training."""
