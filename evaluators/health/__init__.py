"""The health of a training: signs that a generator or a discriminator has collapsed."""
