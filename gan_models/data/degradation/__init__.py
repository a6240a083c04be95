"""Degradations: functions that make the low side of a pair from a high-resolution picture."""
