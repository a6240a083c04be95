"""Generators that give photographs the style of drawings, with the key names of published checkpoints."""
