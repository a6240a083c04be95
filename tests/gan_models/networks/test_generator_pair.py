"""Several generators as one network."""

import pytest
import torch
from ganprune.gan_models.networks.generator_pair import GeneratorPair
from torch import nn


class Sum(nn.Module):
    def forward(self, a, b):
        return a + b


def test_each_generator_is_given_inputs_of_its_own_in_order():
    """The first half of the inputs goes to the first generator, and outputs come in the same order."""
    pair = GeneratorPair({"there": Sum(), "back": Sum()})
    there, back = pair(*(torch.tensor(float(x)) for x in (1, 2, 30, 40)))
    assert (float(there), float(back)) == (3.0, 70.0)


def test_inputs_that_cannot_be_shared_out_are_refused():
    """Three inputs are no equal share of two generators."""
    with pytest.raises(ValueError, match="3 inputs cannot be shared out among 2 generators"):
        GeneratorPair({"a": Sum(), "b": Sum()})(*torch.zeros(3))


def test_names_stand_before_the_weights_and_the_generators_are_not_copied():
    """A weight that changes in a generator changes in the pair."""
    own = nn.Conv2d(3, 3, 1)
    pair = GeneratorPair({"AtoB": own, "BtoA": nn.Conv2d(3, 3, 1)})
    assert {name.partition(".")[0] for name in pair.state_dict()} == {"AtoB", "BtoA"}
    with torch.no_grad():
        own.weight.fill_(7)
    assert float(pair.get_parameter("AtoB.weight").min()) == 7
