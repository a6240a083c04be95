"""MGGC: collaborative agents prune generator and discriminator, keeping local density."""
