"""Tests of the task that fills holes."""
