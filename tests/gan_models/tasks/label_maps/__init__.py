"""Tests of the task from label maps to images."""
