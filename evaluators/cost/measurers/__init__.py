"""Measurers: how a network is timed in a runtime, or on a remote device by a command of its user."""
