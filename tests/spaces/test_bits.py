"""Bits are a dimension where bytes are budgeted, and a plan is priced as it will be stored."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.costs.catalog import stored_cost
from ganprune.gan_models.costs.cost_form import INT8, INT8_PER_CHANNEL
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.search.config import StudyConfig
from ganprune.search.setup.resolve import resolve
from ganprune.search.strategy.proposals import SpaceProposals
from ganprune.spaces.budget import BudgetError
from ganprune.spaces.methods import BITS, TARGET
from ganprune.spaces.widths import WidthSpace

from .random_points import draw

with torch.device("meta"):
    FORM = find_groups(build("resnet", {"ngf": 16, "n_blocks": 3}), torch.empty(1, 3, 32, 32)).form
DENSE = FORM.dense("bytes")
BOTH = SpaceProposals(WidthSpace(FORM, "bytes"), 0.5 * DENSE, tuple(METHODS), bits=(32, 8))
SMALL = {"name": "s", "model": "resnet", "model_args": {"ngf": 4, "n_blocks": 1}, "data": "builtin:shapes"}
SMALL |= {"image_size": 16, "n_train": 8, "n_test": 8, "metric": "shapes"}


def test_bytes_depend_on_the_bits():
    """Eight bits store every weight of a layer in a byte, so a network is a little over a quarter; MACs do not change."""
    assert stored_cost("bytes", 32) == "bytes"
    assert stored_cost("macs", 8) == "macs"
    assert stored_cost("bytes", 8) == INT8
    assert stored_cost("bytes", 8, per_channel=True) == INT8_PER_CHANNEL
    assert 0.25 < FORM.dense(INT8) / DENSE < FORM.dense(INT8_PER_CHANNEL) / DENSE < 0.3


@pytest.mark.parametrize("method", sorted(METHODS))
def test_plans_of_both_bits_are_inside_the_target(method):
    """Whatever is drawn, the plan's bytes as stored are at most its target; eight bits keep more channels."""
    space = BOTH.space(method)
    assert space.distributions()[BITS].choices == (32, 8)
    seen = set()
    for seed in range(8):
        decoded, built = BOTH.decode(method, draw(space, seed), seed)
        seen.add(decoded.bits)
        assert set(built) == set(space.distributions())
        if decoded.widths is not None:
            cost = stored_cost("bytes", decoded.bits, per_channel=True)
            assert float(FORM.predict(FORM.widths(decoded.widths), cost)) <= decoded.target
    assert seen == {8, 32}
    point = draw(space, 0)
    wide, narrow = (BOTH.decode(method, point | {BITS: bits, TARGET: 0.1 * DENSE}, 0)[0] for bits in (8, 32))
    if wide.widths is not None:
        assert sum(wide.widths.values()) > sum(narrow.widths.values())
        assert BOTH.identity(wide) != BOTH.identity(narrow)


def test_the_ladder_and_first_points_take_bits_in_turn():
    """Both bits are tried before any sampler decides; a plan translates with the bits it was stored in."""
    assert [params[BITS] for _, params in BOTH.ladder()][:4] == [32, 8, 32, 8]
    assert {params[BITS] for params in BOTH.starts("magnitude")} == {32, 8}
    widths = dict(zip(FORM.names, FORM.sizes.tolist(), strict=True))
    assert BOTH.translate(widths, 0.3 * DENSE, 8, "widths", {})[BITS] == 8


def test_without_a_budget_in_bytes_there_is_no_such_dimension():
    """MACs do not depend on bits; who asks for one number of bits gets that one everywhere."""
    plain = SpaceProposals(WidthSpace(FORM), 0.5 * FORM.dense(), ("uniform",))
    assert BITS not in plain.distributions("uniform")
    assert plain.decode("uniform", {TARGET: 0.2 * FORM.dense()}, 0)[0].bits == 32
    fixed = SpaceProposals(WidthSpace(FORM, "bytes"), 0.1 * DENSE, ("uniform",), bits=(8,))
    assert BITS not in fixed.distributions("uniform")
    decoded, _ = fixed.decode("uniform", {TARGET: 0.1 * DENSE}, 0)
    assert decoded.bits == 8
    assert np.isclose(float(FORM.predict(FORM.widths(decoded.widths), INT8_PER_CHANNEL)), 0.1 * DENSE, rtol=0.01)


def test_a_studys_plan_offers_what_fits():
    """Bytes offer both bits, MACs 32; a budget below the smallest plan of 32 bits leaves 8 and says so."""
    assert resolve(StudyConfig(budgets=("20kB",), **SMALL))[0].bits == (32, 8)
    assert resolve(StudyConfig(budgets=("40%",), **SMALL))[0].bits == (32,)
    assert resolve(StudyConfig(budgets=("40%",), bits=(8,), **SMALL))[0].bits == (8,)
    least = resolve(StudyConfig(budgets=("20kB",), **SMALL | {"bits": (32,)}))[0].cheapest["bytes"]
    tight, _ = resolve(StudyConfig(budgets=(f"{0.98 * least:.0f}B",), **SMALL))
    assert tight.bits == (8,)
    assert any("8 bits" in note for note in tight.notes)
    with pytest.raises(BudgetError, match="cannot be met"):
        resolve(StudyConfig(budgets=(f"{0.98 * least:.0f}B",), bits=(32,), **SMALL))


@pytest.mark.parametrize("wrong", [{"bits": (16,)}, {"bits": (8, 8)}, {"quantization_settings": {"bits": 4}}])
def test_bits_that_are_not_offered(wrong):
    """Only 32 and 8 bits can be searched, and the error says so in one line."""
    with pytest.raises(ValueError, match=r"bits"):
        StudyConfig.from_json({**SMALL, "budgets": ["20kB"], **wrong})
    config = StudyConfig(budgets=("20kB",), bits=(32, 8), **SMALL)
    assert StudyConfig.from_json(config.to_json()) == config
