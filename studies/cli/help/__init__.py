"""The table of commands, their help, and errors of the command line's parser."""
