"""The latency predictor: exact where its tables are exact, and met from below though it rises and falls."""

import itertools
from functools import cache

import numpy as np
import pytest
import torch
from ganprune.gan_models.costs.cost_form import LATENCY, LATENCY_INT8, InfeasibleBudget
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.latency.predictor import Fit, Grid, LatencyForm, Term, fit_whole, grid_points
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.catalog import make_method, method_spec
from ganprune.gan_models.pruning.method import PruneJob, Target
from ganprune.gan_models.pruning.ranking import plan_within_target
from ganprune.spaces.joint_widths import JointWidths
from ganprune.spaces.widths import WidthSpace

from ..pruning.jobs import proposal


def table(f, *channels, multiple: int = 1) -> Grid:
    """A table of f(x, y) over a grid; one axis gives f(x, 0)."""
    second = channels[1] if len(channels) > 1 else (0,)
    return Grid(tuple(channels), np.array([[f(x, y) for y in second] for x in channels[0]], dtype=float), multiple)


def units(*rows) -> tuple[np.ndarray, ...]:
    return tuple(np.array(row) for row in rows)


def bilinear(x, y):
    return 0.5 + 0.1 * x + 0.2 * y + 0.03 * x * y


GRID = table(bilinear, (1, 4, 9, 16), (1, 8, 12))
SIZES = np.array([16, 12])


def test_a_bilinear_table_is_reproduced_everywhere():
    """Between its points a bilinear function is exact, one plan at a time or all together, in any shape."""
    form = LatencyForm(("a", "b"), SIZES, (Term(units((0, 1, 0), (0, 0, 1)), GRID),))
    plans = np.array(list(itertools.product(range(1, 17), range(1, 13))))
    expected = [bilinear(a, b) for a, b in plans]
    np.testing.assert_allclose(form.predict(plans), expected, rtol=1e-12)
    assert float(form.predict(plans[5])) == form.predict(plans)[5]
    assert form.predict(plans[5]).shape == ()
    assert form.dense() == pytest.approx(bilinear(16, 12))
    with pytest.raises(KeyError, match="prices latency_ms, not 'macs'"):
        form.predict(plans, "macs")


def test_terms_are_counted_scaled_and_added():
    """Three times one block and once a fixed one, scaled, plus the overhead; sides may be sums of groups."""
    fixed = Term((), Grid((), np.array([[2.0]])))
    both = Term(units((1, 1, 1)), table(lambda x, _: float(x), (1, 29)), count=3)
    form = LatencyForm(("a", "b"), SIZES, (both, fixed), {LATENCY: Fit(2.0, 2.0, 0.0, 0.25)})
    assert float(form.predict([4, 5])) == pytest.approx(2 * (3 * (1 + 4 + 5) + 2) + 0.25)


def test_groups_that_are_left_whole_stay_whole():
    """Over one group alone the other is at full width; an unknown group is named."""
    form = LatencyForm(
        ("a", "b"), SIZES, (Term(units((0, 1, 0), (0, 0, 1)), GRID),), {LATENCY: Fit(0.0, 1.5, 0.0, 0.1)}
    )
    np.testing.assert_allclose(form.of_groups(["b"]).predict([[3], [7]]), form.predict([[16, 3], [16, 7]]))
    np.testing.assert_allclose(form.of_groups(["b", "a"]).predict([3, 5]), form.predict([5, 3]))
    with pytest.raises(KeyError, match="no group 'c'"):
        form.of_groups(["c"])


def test_a_device_that_likes_a_multiple_takes_as_long_as_for_the_next():
    """Above two multiples a width costs what the next multiple costs; below, what the table says between its points."""
    grid = table(lambda x, _: float(x), (1, 40), multiple=8)
    form = LatencyForm(("a",), np.array([40]), (Term(units((0, 1)), grid),))
    assert form.predict([[5], [16], [17], [24], [33], [40]]) == pytest.approx([5, 16, 24, 24, 40, 40])


@pytest.mark.parametrize(
    ("channels", "ms"),
    [(((1, 2),), [[1.0]]), (((2, 1),), [[1.0], [1.0]]), (((1, 2),), [[1.0], [np.nan]]), ((), [[-1.0]])],
)
def test_tables_that_do_not_fit_are_refused(channels, ms):
    """A table has its grid's shape, rising channels, and finite times that are not below 0."""
    with pytest.raises(ValueError, match="table"):
        Grid(channels, np.array(ms))


@pytest.mark.parametrize("side", [(1, 256, 1), (1, 8, 1), (4, 512, 4), (3, 3, 1), (1, 2, 1), (2, 65, 1), (7, 100, 3)])
def test_a_grid_has_both_ends_and_only_channels_that_can_be(side):
    """Points rise from the lowest to the full number, in the side's steps, and are at most as many as asked for."""
    lowest, full, step = side
    points = grid_points(lowest, full, step, 6)
    assert (points[0], points[-1]) == (lowest, full)
    assert list(points) == sorted(set(points))
    assert len(points) <= 6
    assert all((point - lowest) % step == 0 for point in points)


def test_the_fit_finds_its_coefficients():
    """Times that are a sum of the parts are fitted exactly; nothing below 0 is ever made up."""
    parts = np.random.default_rng(0).uniform(1, 9, (6, 3))
    found = fit_whole(parts, parts @ [1.3, 0.4, 0.1] + 0.7)
    assert found == Fit(*map(pytest.approx, (1.3, 0.4, 0.1, 0.7)))
    assert np.all(np.array([*vars(fit_whole(parts, parts @ [1.0, 0.0, 0.0] - 0.5)).values()]) >= 0)
    with pytest.raises(ValueError, match="two or more"):
        fit_whole([[1.0, 0.0, 0.0]], [1.0])


def test_eight_bits_have_coefficients_of_their_own():
    """Blocks that run on integers and blocks that do not are scaled apart; a table without 8 bits says so."""
    whole = Term(units((0, 1, 0)), table(lambda x, _: float(x), (1, 16)), weights=((10, 2, 0), (5, 1, 0)), integer=True)
    other = Term(units((0, 0, 1)), table(lambda x, _: 2.0 * x, (1, 12)))
    fits = {LATENCY: Fit(1.0, 1.0, 0.0, 0.5), LATENCY_INT8: Fit(0.25, 1.0, 1e6, 0.5)}
    form = LatencyForm(("a", "b"), SIZES, (whole, other), fits)
    assert float(form.predict([4, 3])) == pytest.approx(4 + 6 + 0.5)
    assert float(form.predict([4, 3], LATENCY_INT8)) == pytest.approx(1 + 6 + (10 * 16 + 5 * 4) + 0.5)
    with pytest.raises(KeyError, match="prices latency_ms, not 'latency_ms_int8'"):
        LatencyForm(("a", "b"), SIZES, (whole, other)).predict([4, 3], LATENCY_INT8)


# Wide is cheaper than narrow between 9 and 12 channels: no bisection finds what fits.
BUMPY = table(lambda x, _: {1: 1.0, 8: 8.0, 9: 20.0, 12: 6.0, 16: 10.0}[x], (1, 8, 9, 12, 16))


@cache
def small_network():
    model = build("resnet", {"ngf": 8, "n_blocks": 1})
    return model, find_groups(model, torch.empty(1, 3, 16, 16))


def bumpy_form(groups) -> LatencyForm:
    """Latency by the first group's channels, bumpy, and the others' in proportion."""
    n = len(groups.names)
    rest = Term(units((0, *([0] + [1] * (n - 1)))), table(lambda x, _: 0.1 * x, (n - 1, sum(groups.sizes.values()))))
    first = np.zeros(n + 1, dtype=np.int64)
    first[1] = 2
    return LatencyForm(groups.names, groups.form.sizes, (Term((first,), BUMPY), rest))


@pytest.mark.parametrize("target", [2.5, 5.0, 9.0, 12.0, 15.0, 30.0])
def test_a_latency_target_is_met_by_the_widest_plan_on_the_ray(target: float):
    """The largest plan in proportion to the ratios that fits is found, and then filled up."""
    _, groups = small_network()
    form, model = groups.form, bumpy_form(groups)
    ratios = np.full(len(form.names), 1.0)
    widths = form.solve(ratios, target, "latency_ms", model=model)
    assert float(model.predict(widths)) <= target
    ray = [form.fit(form.sizes * m) for m in np.linspace(0, 1, 2001)]
    fitting = [plan.sum() for plan in ray if float(model.predict(plan)) <= target]
    assert widths.sum() >= max(fitting)


def test_an_impossible_latency_is_refused():
    """A target below the smallest plan's latency names that."""
    _, groups = small_network()
    with pytest.raises(InfeasibleBudget, match=r"latency_ms cannot be met: the smallest plan .* Try a larger budget"):
        groups.form.solve(np.ones(len(groups.names)), 0.1, "latency_ms", model=bumpy_form(groups))


@pytest.mark.parametrize("method", ["uniform", "widths", "magnitude"])
def test_methods_land_on_a_latency(method: str):
    """Under a bumpy latency every method meets its target from below; ranking keeps the best channels that fit."""
    model, groups = small_network()
    latency = bumpy_form(groups)
    target = Target("latency_ms", 9.0, model=latency)
    space = WidthSpace(groups.form, "latency_ms", model=latency)
    widths = space.uniform(9.0) if method_spec(method).widths == "given" else None
    pruned = make_method(method).prune(PruneJob(model, "G", groups, proposal(method, target, widths), target, seed=0))
    reached = float(latency.predict(groups.form.widths(pruned.plan.widths)))
    assert 0.6 * 9.0 <= reached <= 9.0
    rng = np.random.default_rng(0)
    scores = {name: rng.permutation(size).astype(float) for name, size in groups.sizes.items()}
    plan = plan_within_target(groups.form, scores, target)
    assert float(latency.predict(groups.form.widths(plan.widths))) <= 9.0
    assert all(set(kept) == set(np.argsort(-scores[name])[: len(kept)]) for name, kept in plan.kept.items())


def test_a_latency_budget_changes_the_plan_that_a_macs_budget_gives():
    """On a device where one group costs all the time, half the latency is another plan than half the MACs."""
    _, groups = small_network()
    form, n = groups.form, len(groups.names)
    slow = int(np.argmax(form.sizes))
    unit = np.zeros(n + 1, dtype=np.int64)
    unit[1 + slow] = 1
    size = int(form.sizes[slow])
    latency = LatencyForm(groups.names, form.sizes, (Term((unit,), table(lambda x, _: 10.0 * x, (1, size))),))
    by_macs = WidthSpace(form)
    by_ms = WidthSpace(form, "latency_ms", model=latency)
    ratios = dict.fromkeys(by_macs.dimensions, 1.0)
    plans = [by_macs.decode(ratios, 0.5 * form.dense()), by_ms.decode(ratios, 0.5 * latency.dense())]
    assert plans[0] != plans[1]
    assert form.predict(form.widths(plans[0])) <= 0.5 * form.dense()
    assert latency.predict(form.widths(plans[1])) == 0.5 * latency.dense()
    assert latency.predict(form.widths(plans[0])) > 0.5 * latency.dense()
    assert plans[1][groups.names[slow]] == size // 2 < plans[0][groups.names[slow]]


def test_two_networks_share_a_latency_target():
    """Both directions: each network's plan is solved against its own latency and share."""
    _, groups = small_network()
    form, latency = groups.form, bumpy_form(groups)
    both = tuple(f"{side}.{name}" for side in "AB" for name in groups.names)
    joint_form = type(form).from_rows(dict.fromkeys(both, 16), [])
    space = JointWidths(joint_form, "latency_ms", sides=(("A", form, 0.5, latency), ("B", form, 0.5, latency)))
    widths = space.decode(dict.fromkeys(space.dimensions, 1.0), 18.0)
    for side in "AB":
        own = [widths[f"{side}.{name}"] for name in groups.names]
        assert float(latency.predict(own)) <= 9.0
    assert space.cheapest() == pytest.approx(2 * float(latency.predict(form.floors())))
