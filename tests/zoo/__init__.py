"""The zoo: small generators with one trait each, and the sweep over them."""
