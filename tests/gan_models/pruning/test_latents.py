"""The proximal step in closed form, the floors, and how strong the step must be to arrive at a target."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.catalog import build
from ganprune.gan_models.groups import find_groups
from ganprune.gan_models.pruning.latents import (
    FLOOR,
    TAU,
    alive,
    needed_shrink,
    proximal_step,
    shrunk,
    teacher_magnitudes,
    threshold_widths,
    with_floor,
)
from ganprune.gan_models.pruning.method import Target
from ganprune.gan_models.pruning.ranking import l1_scores
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    model = build("resnet", {"ngf": 8, "n_blocks": 2})
    return model, find_groups(model, torch.empty(1, 3, 32, 32))


def magnitudes(groups, seed: int):
    draw = np.random.default_rng(seed)
    return {name: np.abs(draw.standard_normal(size)) for name, size in groups.sizes.items()}


def flat(groups, found) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([found[name] for name in groups.names]))


def test_the_proximal_step_is_the_closed_form():
    """0.0025 with threshold 0.001 becomes 0.0015; what is under the threshold becomes exactly 0; signs stay."""
    z = torch.tensor([0.0025, -0.0025, 0.0009, -0.0009, 0.001, 0.0])
    assert proximal_step(z, 1e-3).tolist() == pytest.approx([0.0015, -0.0015, 0, 0, 0, 0], abs=1e-9)
    assert proximal_step(z, 1e-3)[2:].abs().max() == 0


@settings(max_examples=50, deadline=None)
@given(z=st.floats(-3, 3), threshold=st.floats(0, 2))
def test_the_proximal_step_is_the_minimum_that_defines_it(z: float, threshold: float):
    """No point near it has a lower (x - z)^2 / 2 + threshold |x|."""
    best = float(proximal_step(torch.tensor(z, dtype=torch.float64), threshold))
    value = lambda x: 0.5 * (x - z) ** 2 + threshold * abs(x)  # noqa: E731
    assert all(value(best) <= value(best + step) + 1e-12 for step in (-0.1, -1e-3, 1e-3, 0.1))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), shrink=st.floats(0, 10))
def test_no_group_ever_falls_under_four_channels(network, seed: int, shrink: float):
    """However strong the step, each group keeps its four strongest over the threshold, and they are alive."""
    _, groups = network
    before = magnitudes(groups, seed)
    after = shrunk(flat(groups, before), groups, shrink, FLOOR)
    start = 0
    for name, size in groups.sizes.items():
        own = after[start : start + size].abs().numpy()
        start += size
        strongest = np.argsort(-before[name])[:FLOOR]
        assert (own[strongest] >= TAU).all()
        assert alive({name: own}, FLOOR)[name][strongest].all()
        others = np.setdiff1d(np.arange(size), strongest)
        assert np.allclose(own[others], np.maximum(before[name][others] - shrink, 0))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0.05, 1.0), cost=st.sampled_from(["macs", "macs_published", "params"]))
def test_the_needed_shrinkage_arrives_and_is_the_least(network, seed: int, share: float, cost: str):
    """After it the threshold's plan is at or under the target; after a little less, it is not."""
    _, groups = network
    form, found = groups.form, magnitudes(groups, seed)
    target = with_floor(form, Target(cost, share * form.dense(cost)))
    shrink = needed_shrink(form, found, target)

    def cost_after(amount: float) -> float:
        after = shrunk(flat(groups, found), groups, amount, target.floor).numpy()
        own = {n: after[groups.offsets[n] :][:size] for n, size in groups.sizes.items()}
        return float(form.predict(threshold_widths(form, own, target), cost))

    assert cost_after(shrink) <= target.value
    if shrink > 0:
        levels = np.sort(np.concatenate(list(found.values())))
        gap = np.diff(levels).max()
        assert cost_after(max(0.0, shrink - gap)) > target.value


def test_a_model_that_is_not_monotone_is_met_too(network):
    """Priced by a latency with steps up as width falls, the plan after the shrinkage is at or under the target."""
    _, groups = network

    class Stairs:
        def predict(self, widths, cost="macs"):
            w = np.asarray(widths, dtype=float)
            return 10 + w.sum(-1) + 3 * (w.sum(-1) % 8 == 5)

    target = Target("latency_ms", 60.0, floor=4, model=Stairs())
    found = magnitudes(groups, 3)
    after = shrunk(flat(groups, found), groups, needed_shrink(groups.form, found, target), 4).numpy()
    own = {n: after[groups.offsets[n] :][:size] for n, size in groups.sizes.items()}
    assert 45 <= Stairs().predict(threshold_widths(groups.form, own, target)) <= 60


def test_the_floor_is_four_where_the_budget_allows_it_and_falls_no_further_than_it_must(network):
    """A target under the plan of four channels a group lowers the floor to the highest that fits; multiples count."""
    form = network[1].form
    assert with_floor(form, Target("macs", form.dense())).floor == FLOOR
    assert with_floor(form, Target("macs", form.cheapest(floor=3))).floor == 3
    assert with_floor(form, Target("macs", 0.99 * form.cheapest(floor=3))).floor == 2
    assert with_floor(form, Target("macs", form.dense(), floor=6)).floor == 6


def test_latents_start_in_the_order_of_the_teachers_channels(network):
    """Within a group the order is that of the L1 scores; all ranks are there once, the highest is 1."""
    model, groups = network
    start = teacher_magnitudes(model, groups, Target("macs", 1.0), 0.05)
    scores = l1_scores(model, groups)
    assert np.array_equal(np.sort(start), np.arange(1, len(start) + 1) / len(start))
    for name, size in groups.sizes.items():
        own = start[groups.offsets[name] :][:size]
        assert np.array_equal(np.argsort(own), np.argsort(scores[name], kind="stable"))
