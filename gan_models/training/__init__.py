"""The training loop: steps, recipe, averaged weights, compute, optimizer state."""
