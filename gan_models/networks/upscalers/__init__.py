"""Generators of larger images: super-resolution and restoration, with published key names."""
