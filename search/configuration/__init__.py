"""The options of a study: one declaration each, in sections, for Python, TOML and the command line."""
