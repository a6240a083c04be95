"""Blocks: a network's calls, each in one block, with the channels that they have in the cut network."""

import gc
from functools import cache

import numpy as np
import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.latency.block_finder import find_blocks
from ganprune.gan_models.latency.blocks import WEIGHTED_KINDS, without_side_effect
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..network_cases import CASES

NAMES = ["resnet", "unet", "mobile_resnet_9blocks", "sngan_32", "foreign dcgan", "foreign attention_unet"]


@cache
def found(name: str):
    factory, inputs = CASES[name]
    model, example = factory(), inputs.examples()
    groups = find_groups(model, example)
    return model.eval(), example, groups, find_blocks(model, example, groups)


def flops(model: nn.Module, inputs) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*inputs)
    return counter.get_total_flops()


@pytest.mark.parametrize("name", NAMES)
def test_blocks_add_up_to_the_cut_network(name: str):
    """At a random plan the blocks, run one by one, do the multiplications of the cut network: no more, no fewer."""
    model, example, groups, blocks = found(name)
    rng = np.random.default_rng(1)
    widths = {g.name: int(rng.integers(1, g.size + 1)) for g in groups.groups}
    plan = ChannelPlan({group: tuple(range(n)) for group, n in widths.items()})
    w = np.array([1, *widths.values()])
    total = 0
    for block in blocks.blocks:
        module, inputs = block.build(tuple(int(side.unit @ w) for side in block.sides))
        total += flops(module, inputs)
    assert total == flops(cut(model, groups, plan), example)
    assert blocks.unmeasured == ()


@pytest.mark.parametrize("name", NAMES)
def test_blocks_hold_the_weights_of_the_cut_network(name: str):
    """At a random plan the numbers in all blocks' parameters are the cut network's parameters and running statistics."""
    model, _, groups, blocks = found(name)
    rng = np.random.default_rng(2)
    widths = {g.name: int(rng.integers(1, g.size + 1)) for g in groups.groups}
    w = np.array([1, *widths.values()])
    total = 0
    for block in blocks.blocks:
        n = [int(side.unit @ w) for side in block.sides] + [1, 1]
        total += sum(factor * n[0] ** first * n[1] ** second for factor, first, second in block.weights)
    small = cut(model, groups, ChannelPlan({group: tuple(range(n)) for group, n in widths.items()}))
    assert total == sum(t.numel() for t in small.state_dict().values() if t.is_floating_point())


def test_a_block_keeps_no_tensor_after_its_call():
    """Nothing but the output is alive after a call, with the garbage collector off: pages are used again, as in the
    network."""
    _, _, _, blocks = found("resnet")
    block = max(blocks.blocks, key=lambda b: len(b.calls))
    module, inputs = block.build(tuple(side.full for side in block.sides))

    def alive() -> int:
        return sum(isinstance(x, torch.Tensor) for x in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = alive()
        for _ in range(3):
            module(*inputs)
        assert alive() == before
    finally:
        gc.enable()


@pytest.mark.parametrize("name", ["resnet", "unet"])
def test_blocks_can_be_compiled_whole(name: str):
    """torch.compile's tracer follows every block without a break (its code generation needs a compiler: not here)."""
    _, _, _, blocks = found(name)
    for block in {block.key: block for block in blocks.blocks}.values():
        module, inputs = block.build(tuple(side.full for side in block.sides))
        with torch.inference_mode():
            expected = module(*inputs)
            torch.compiler.reset()
            torch.testing.assert_close(torch.compile(module, backend="eager", fullgraph=True)(*inputs), expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_multiplication_is_in_one_block(name: str):
    """As many weighted calls as the trace has, at most one a block, and at most two sides."""
    _, _, groups, blocks = found(name)
    per_block = [sum(call.name in WEIGHTED_KINDS for call in block.calls) for block in blocks.blocks]
    assert sum(per_block) == sum(layer.kind in WEIGHTED_KINDS for layer in groups.layers)
    assert max(per_block) == 1
    assert max(len(block.sides) for block in blocks.blocks) <= 2


def test_equal_layers_are_one_layer():
    """Nine residual blocks of the same widths have the keys of one; another resolution has others."""
    _, _, _, blocks = found("resnet_9blocks")
    assert len(blocks.blocks) > 2 * len({block.key for block in blocks.blocks})
    factory = CASES["resnet"][0]
    keys = []
    for size in (32, 64):
        example = (torch.empty(1, 3, size, size),)
        model = factory()
        keys.append({block.key for block in find_blocks(model, example, find_groups(model, example)).blocks})
    assert not keys[0] & keys[1]


def test_what_is_timed_again_and_again_does_not_change_its_input():
    """A call in place becomes the same call that makes a new tensor."""
    x = torch.tensor([-1.0])
    assert without_side_effect(torch.ops.aten.silu_.default)(x) is not x
    assert x.item() == -1.0
    assert without_side_effect(torch.ops.aten.relu.default) is torch.ops.aten.relu.default


class Stubborn(nn.Module):
    """Has a size written into its code, on what nobody prunes, and a call that mixes three widths."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 6, 1), nn.Conv2d(3, 4, 1)
        self.last = nn.Conv2d(18, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat([self.a(x), self.b(x), self.c(x)], 1)).reshape(-1, 3, 64).softmax(-1)


def test_what_fits_no_table_is_named():
    """A concatenation of three widths is in no block and is listed; the convolutions around it are all in blocks."""
    model, example = Stubborn(), (torch.rand(1, 3, 8, 8),)
    blocks = find_blocks(model, example, find_groups(model, example))
    assert blocks.unmeasured == ("cat in the model",)
    assert sum(block.weighted for block in blocks.blocks) == 4
