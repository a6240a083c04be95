"""Images on disk: file names and reader."""
