"""Blocks of a network that are timed, and latency predicted from them."""
