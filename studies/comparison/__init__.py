"""Comparisons of sets of images: the commands `fid` and `compare`."""
