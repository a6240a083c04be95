"""Networks of the zoo that fail, and why. One that passes is an error: the list shrinks."""

KNOWN: dict[str, str] = {
    "heads turned by position": "kept whole: scaled_dot_product_attention computes a number from its size",
}
