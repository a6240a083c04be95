"""Simulated 8-bit arithmetic: settings, quantizers, calibration."""
