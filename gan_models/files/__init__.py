"""Files, hashes, seeds and plain values: the lowest folder, which imports no other part of ganprune."""
