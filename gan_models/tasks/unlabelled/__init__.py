"""The task whose data are inputs without labels: what they should become is what the teacher makes of them."""
