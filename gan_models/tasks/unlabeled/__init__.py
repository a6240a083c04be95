"""The task on unlabeled inputs: the teacher's outputs are the targets."""
