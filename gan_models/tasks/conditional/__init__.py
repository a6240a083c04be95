"""Tasks whose generators receive a class: labels in addition to latents."""
