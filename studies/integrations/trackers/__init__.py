"""Trackers: programs that a search sends its progress to, such as TensorBoard and MLflow."""
