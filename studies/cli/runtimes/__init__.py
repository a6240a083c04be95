"""Output of the rules of runtimes."""
