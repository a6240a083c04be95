"""Images on disk or rendered, as datasets with seeded order and augmentation."""
