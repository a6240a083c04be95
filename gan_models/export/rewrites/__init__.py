"""Exact rewrites: other operators that compute the same, for runtimes that lack some or run them slowly."""
