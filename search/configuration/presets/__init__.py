"""Presets: published recipes as configurations, one TOML file each."""
