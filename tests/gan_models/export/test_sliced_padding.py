"""Borders of slices are those of PyTorch, in concatenations that XNNPACK takes."""

import pytest
import torch
from ganprune.gan_models.export.rewrites.padding import SlicedPadding
from torch import nn


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_no_concatenation_has_more_than_a_border_and_none_reads_one_of_its_own_axis(mode):
    """Borders of three pixels join four tensors each: seven, which a converter could merge, would split the graph."""
    padding, x = SlicedPadding((3, 3, 3, 3), mode), torch.rand(1, 2, 9, 8, dtype=torch.float64)
    torch.testing.assert_close(padding(x), nn.functional.pad(x, (3, 3, 3, 3), mode), rtol=0, atol=0)
    cat = torch.ops.aten.cat.default
    joined = [node for node in torch.export.export(padding, (x,)).graph.nodes if node.target is cat]
    assert [len(node.args[0]) for node in joined] == [4, 4, 4, 4]
    for node in joined:
        assert all(part.args[1] != node.args[1] for part in node.args[0] if part.target is cat)
