"""Stylization: photographs in the style of drawings that belong to none of them."""
