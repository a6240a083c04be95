"""Layers of torch.nn that store their sizes apart from their weights, in a form that derives them from the weights."""
