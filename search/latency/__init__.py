"""Latency profiles of a device, and prices of plans from them."""
