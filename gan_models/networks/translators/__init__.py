"""Image-to-image generators with a second input: StarGAN's labels as maps, MUNIT's style by an MLP."""
