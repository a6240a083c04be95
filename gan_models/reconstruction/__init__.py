"""Closed-form refit of a cut network's weights to its teacher's activations on unlabeled inputs."""
