"""The proximal step in closed form, the floors, and how strong the step must be to arrive at a target."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.coronet.latents import (
    FLOOR,
    TAU,
    alive,
    by_group,
    needed_shrink,
    proximal_step,
    resistances,
    shrunk,
    teacher_magnitudes,
    threshold_widths,
    with_floor,
)
from ganprune.gan_models.pruning.method import Target
from ganprune.gan_models.pruning.ranking import l1_scores
from ganprune.gan_models.pruning.sensitivity import pull_of
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


def pulls(groups, seed: int) -> torch.Tensor:
    """Uneven ones for odd seeds, else the plain step's."""
    n = sum(groups.sizes.values())
    return torch.from_numpy(np.random.default_rng(seed).uniform(0.2, 4, n)) if seed % 2 else torch.ones(n).double()


def after(groups, latents: torch.Tensor, shrink: float, target, pull: torch.Tensor):
    """Magnitudes by group after the step."""
    return by_group(groups, shrunk(latents, groups, shrink, target.floor, pull).abs().numpy())


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
    """However strong the step and uneven its pull, each group keeps its four most resistant over the threshold; all
    others are shrunk by the closed form."""
    _, groups = network
    latents, pull = flat(groups, magnitudes(groups, seed)), pulls(groups, seed)
    made = after(groups, latents, shrink, Target("macs", 1.0, floor=FLOOR), pull)
    before, resisting = by_group(groups, latents.numpy()), by_group(groups, resistances(latents, pull))
    expected = by_group(groups, np.maximum(latents.numpy() - shrink * pull.numpy(), 0))
    for name, size in groups.sizes.items():
        strongest = np.argsort(-resisting[name])[:FLOOR]
        over = before[name][strongest] >= TAU
        assert (made[name][strongest][over] >= TAU).all()
        others = np.setdiff1d(np.arange(size), strongest)
        assert np.allclose(made[name][others], expected[name][others])
        assert alive({name: made[name]}, FLOOR)[name].sum() >= FLOOR


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000), share=st.floats(0.06, 1.0), cost=st.sampled_from(["macs", "macs_published", "params"])
)
def test_the_needed_shrinkage_arrives_and_is_the_least(network, seed: int, share: float, cost: str):
    """After it the threshold's plan is at or under the target; after less by the widest gap, it is not."""
    _, groups = network
    form, latents, pull = groups.form, flat(groups, magnitudes(groups, seed)), pulls(groups, seed)
    target = with_floor(form, Target(cost, share * form.dense(cost)))
    resisting = resistances(latents, pull)
    shrink = needed_shrink(groups, resisting, target)

    def cost_after(amount: float) -> float:
        widths = threshold_widths(form, after(groups, latents, amount, target, pull), target)
        return float(form.predict(widths, cost))

    assert cost_after(shrink) <= target.value
    if shrink > 0:
        below = np.sort(resisting[(resisting >= 0) & (resisting < shrink)])
        assert cost_after(0.5 * (below[-1] + (below[-2] if len(below) > 1 else 0.0))) > target.value


def test_a_model_that_is_not_monotone_is_met_too(network):
    """Priced by a latency with steps up as width falls, the plan after the shrinkage is at or under the target."""
    _, groups = network

    class Stairs:
        def predict(self, widths, cost="macs"):
            w = np.asarray(widths, dtype=float)
            return 10 + w.sum(-1) + 3 * (w.sum(-1) % 8 == 5)

    target = Target("latency_ms", 60.0, floor=4, model=Stairs())
    latents, pull = flat(groups, magnitudes(groups, 3)), pulls(groups, 0)
    made = after(groups, latents, needed_shrink(groups, resistances(latents, pull), target), target, pull)
    assert 45 <= Stairs().predict(threshold_widths(groups.form, made, target)) <= 60


def test_latents_that_the_loss_depends_on_are_pulled_less():
    """The pull falls with the gradient's root mean square to a power, by at most a factor of 8 from its mean; without
    gradients, or at exponent 0, all are pulled alike."""
    squares = torch.tensor([1.0, 4.0, 16.0, 1e9, 0.0])
    rms = squares.sqrt() / squares.sqrt().mean()
    assert torch.allclose(pull_of(squares[:3], 1.0), 7 / 3 / torch.tensor([1.0, 2.0, 4.0]))
    assert torch.allclose(pull_of(squares, 0.5), rms.clamp(1 / 8, 8).rsqrt())
    assert torch.equal(pull_of(squares, 0.0), torch.ones(5))
    assert torch.equal(pull_of(torch.zeros(4), 1.0), torch.ones(4))


def test_the_floor_is_four_where_the_budget_allows_it_and_falls_no_further_than_it_must(network):
    """A target under the plan of four channels a group lowers the floor to the highest that fits; multiples count."""
    form = network[1].form
    assert with_floor(form, Target("macs", form.dense())).floor == FLOOR
    assert with_floor(form, Target("macs", form.cheapest(floor=3))).floor == 3
    assert with_floor(form, Target("macs", 0.99 * form.cheapest(floor=3))).floor == 2
    assert with_floor(form, Target("macs", form.dense(), floor=6)).floor == 6


def test_latents_start_in_the_order_of_the_teachers_channels(network):
    """Within a group the order is that of the scores; all ranks are there once, the highest is 1."""
    model, groups = network
    scores = l1_scores(model, groups)
    start = teacher_magnitudes(scores, groups, Target("macs", 1.0), 0.05)
    assert np.array_equal(np.sort(start), np.arange(1, len(start) + 1) / len(start))
    for name, size in groups.sizes.items():
        own = start[groups.offsets[name] :][:size]
        assert np.array_equal(np.argsort(own), np.argsort(scores[name], kind="stable"))
