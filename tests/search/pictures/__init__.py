"""Tests of pictures of a study's generators."""
