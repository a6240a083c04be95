"""Choice of the next trial: method, target, widths, and early stopping."""
