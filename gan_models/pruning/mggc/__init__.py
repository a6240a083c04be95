"""MGGC: collaborating agents prune generator and discriminator, preserving local density."""
