"""A page that runs generators in a browser: dense and pruned side by side, with their milliseconds."""
