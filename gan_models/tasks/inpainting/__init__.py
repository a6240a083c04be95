"""Images with holes: drawn masks, and the task that fills them."""
