"""Tests of generators of waveforms."""
