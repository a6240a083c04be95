"""Generators of waveforms from mel spectrograms: HiFi-GAN."""
