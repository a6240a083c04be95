"""Inputs of generators beside one image: latents, classes, masks, label maps, vectors, audio."""
