"""One training loop: steps, recipe, distillation, optimizer state."""
