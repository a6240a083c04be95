"""What is measured on any network or images, independently of how it was predicted."""
