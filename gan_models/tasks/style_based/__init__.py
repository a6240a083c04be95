"""StyleGAN2's training: a penalty of gradients for the discriminator, and one of path lengths for the generator."""
