"""Distillation of a generator from its teacher: an open table of terms, and the loss over them."""
