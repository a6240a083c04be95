"""Random points of a method's space."""

import numpy as np
from ganprune.spaces.methods import MethodSpace


def draw(space: MethodSpace, seed: int) -> dict:
    """A random point inside the distributions."""
    rng = np.random.default_rng(seed)
    point = {}
    for name, dist in space.distributions().items():
        if hasattr(dist, "choices"):
            point[name] = dist.choices[rng.integers(len(dist.choices))]
        elif dist.log:
            point[name] = float(np.exp(rng.uniform(np.log(dist.low), np.log(dist.high))))
        else:
            point[name] = float(rng.uniform(dist.low, dist.high))
    return point
