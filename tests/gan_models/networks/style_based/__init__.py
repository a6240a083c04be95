"""Tests of StyleGAN2."""
