"""Refitting of a cut network's weights, in closed form, to its teacher's activations on unlabeled inputs."""
