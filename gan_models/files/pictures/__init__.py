"""Pictures on disk: the names that they have, and the one reader of them."""
