"""Forecasts: plans of a study that are scored before any training, over a range of costs or at one cost."""
