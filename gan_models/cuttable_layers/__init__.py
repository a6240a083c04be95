"""Layers of torch.nn that hold their sizes apart from their weights, in a form that takes them from the weights."""
