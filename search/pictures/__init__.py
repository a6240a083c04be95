"""Pictures of a study's generators: a few fixed inputs, and what is made of them at fixed steps."""
