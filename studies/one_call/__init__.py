"""One call in Python on a network that is already there: inspect it, prune it, write its files."""
