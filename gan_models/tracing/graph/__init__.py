"""The graph of a network, exported on shapes and without regions, and why a network cannot be exported."""
