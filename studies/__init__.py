"""What is kept and shown: the database of studies, the Python interface and the command line."""
