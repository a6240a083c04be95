"""Super-resolution and restoration: pairs of a low and a high side, on disk or made on the fly."""
