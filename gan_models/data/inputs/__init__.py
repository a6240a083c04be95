"""Inputs of generators other than one image: latents, classes, masks, label maps, vectors, audio."""
