"""Commands that compare sets of images: `fid` and `compare`."""
