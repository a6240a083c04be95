"""Tests of StyleGAN2's training."""
