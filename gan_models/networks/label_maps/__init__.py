"""Generators of images from label maps: SPADE (GauGAN) and pix2pixHD."""
