"""Generators that fill the holes of an image: gated and partial convolutions."""
