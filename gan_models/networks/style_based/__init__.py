"""StyleGAN2: the mapping and synthesis networks, its discriminator, and the names in published checkpoints."""
