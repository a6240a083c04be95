"""Metrics by a trained network: class scores, perceptual distance, overlap of segmentations."""
