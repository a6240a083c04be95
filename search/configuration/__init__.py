"""The options of a study: one declaration each, in sections, reached from Python, TOML and the command line."""
