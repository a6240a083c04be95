"""Parts of writing and checking a bundle's files: inputs to compare on, limits of quality."""
