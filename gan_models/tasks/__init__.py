"""Tasks: data layout, generator inputs, references and losses of one kind of GAN training."""
