"""Every network of the zoo: what can be pruned of it, and that its cuts are right."""

import pytest

from .catalog import FAMILIES, ZOO
from .known import KNOWN
from .sweep import examine, verdict


@pytest.mark.filterwarnings("ignore")  # of torch, about the networks
@pytest.mark.parametrize("name", ZOO)
def test_a_network_is_cut_right_and_as_much_of_it_as_hands_found(name: str):
    """Cut equals gated, predicted MACs are counted ones, and no less is prunable than was reasoned out beforehand."""
    assert verdict(examine(name)) == ""


def test_the_zoo_is_large_and_its_names_are_unique():
    """At least 120 networks, no two of one name; whatever is known to fail is one of them."""
    assert len(ZOO) == sum(map(len, FAMILIES.values())) >= 120
    assert set(KNOWN) <= set(ZOO)
