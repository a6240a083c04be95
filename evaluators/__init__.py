"""Measurements of any network or images, independent of the predictions that a search makes."""
