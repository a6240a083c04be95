"""Files for other runtimes, and their comparison with PyTorch."""
