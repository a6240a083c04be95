"""The graph of a network, and the propagation of channel labels through its calls."""
