"""Tests of class-conditional generators."""
