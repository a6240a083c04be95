"""Every network of the zoo as an ONNX file; a file of tests for itself, so that it runs beside the others."""

import pytest

from .catalog import FAMILIES
from .sweep import Found, family_onnx, verdict


@pytest.mark.filterwarnings("ignore")  # of torch, about the networks
@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_the_onnx_file_of_a_cut_network_gives_what_the_network_gives(family: str):
    """In ONNX Runtime, for a batch of another size than one; where it cannot, the entry says why, and it does not."""
    exported = family_onnx(family)
    assert [message for name, one in exported.items() if (message := verdict(Found(name), one))] == []
