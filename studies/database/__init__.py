"""Studies in a SQL database."""
