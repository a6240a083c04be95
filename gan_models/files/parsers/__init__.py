"""Parsers of files and texts from elsewhere: bounded, without code, with one kind of exception."""
