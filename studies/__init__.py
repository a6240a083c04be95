"""Studies: their database, the Python interface and the command line."""
