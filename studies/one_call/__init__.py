"""One call in Python on a network in memory: inspection, pruning, and export."""
