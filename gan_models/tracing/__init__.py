"""A network's graph, and the channel labels that are carried through its calls."""
