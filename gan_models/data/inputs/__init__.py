"""What generators take beside one image: latents, classes, masks, label maps, vectors, audio."""
