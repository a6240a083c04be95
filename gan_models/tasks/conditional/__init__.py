"""Tasks whose generators are told a class: labels beside latents."""
