"""The Hugging Face Hub: bundles uploaded as model repositories, and bundles that lie there."""
