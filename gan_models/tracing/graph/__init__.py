"""The graph of a network, exported for shapes only and without regions, and the reasons that an export fails."""
