"""Networks of the zoo that fail, and why. One that passes is an error: the list shrinks."""

KNOWN: dict[str, str] = {}
