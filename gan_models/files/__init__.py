"""Files, hashes, seeds and plain values: the bottom room, which imports nothing of ours."""
