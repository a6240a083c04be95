"""Prices of plans: every row of the table of costs, ours or another package's, by one mechanism."""

import numpy as np
import pytest
import torch
from ganprune.evaluators.cost.counters import count_cost
from ganprune.gan_models.costs.catalog import COSTS, FORM_COSTS
from ganprune.gan_models.costs.cost import Cost
from ganprune.gan_models.costs.prices import Prices
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.user_code import load_named
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from torch import nn

from ...fakes.activations_cost import ACTIVATIONS

EXAMPLE = torch.zeros(1, 3, 32, 32)


def counted(cost: Cost, network: nn.Module) -> float:
    if cost.count is not None:
        return load_named(cost.count, "cost")(network, (EXAMPLE,), None)
    return float(getattr(count_cost(network, (EXAMPLE,)), cost.name))


@pytest.fixture(scope="module", params=["resnet_6blocks", "unet_32", "mobile_resnet_9blocks"])
def network(request):
    """A narrow network and its groups."""
    torch.manual_seed(0)
    if request.param == "unet_32":
        built = build("unet", {"num_downs": 5, "ngf": 4})
    else:
        built = build(request.param, {"ngf": 6})
    return built.eval(), find_groups(built, EXAMPLE)


@pytest.fixture(params=[*(name for name in COSTS if COSTS[name].exact), "activations"])
def cost(request, monkeypatch):
    """Every exact row, and one as another package would add it."""
    monkeypatch.setitem(COSTS.own, "activations", ACTIVATIONS)
    return COSTS[request.param]


def test_price_at_full_width_is_the_networks_count(network, cost: Cost):
    """The prediction of an exact row for the full plan equals the count on the network."""
    model, groups = network
    assert Prices.of(groups, [cost.name]).dense()[cost.name] == counted(cost, model)


def test_price_of_a_plan_is_the_cut_networks_count(network, cost: Cost):
    """The prediction of an exact row for a plan equals the count on the network that was cut."""
    model, groups = network
    plan = ChannelPlan({g.name: tuple(range(0, g.size, 2)) for g in groups.groups})
    small = cut(model, groups, plan)
    price = Prices.of(groups, [cost.name]).predict(groups.form.widths(plan.widths), cost.name)
    assert float(price) == counted(cost, small)


def test_price_never_falls_when_a_group_is_widened(network, cost: Cost):
    """A channel more of any group never makes a plan cheaper."""
    _, groups = network
    sizes = groups.form.sizes
    widths = np.random.default_rng(0).integers(1, sizes, (20, len(sizes)))
    prices = Prices.of(groups, [cost.name])
    wider = widths[:, None] + np.eye(len(sizes), dtype=np.int64)
    assert (prices.predict(wider, cost.name) >= prices.predict(widths, cost.name)[:, None]).all()


def test_cheapest_plan_is_priced_in_the_cheapest_bits(network):
    """In 8 bits the smallest plan has fewer bytes than in 32, and as many parameters."""
    _, groups = network
    prices = Prices.of(groups)
    wide, both = prices.cheapest(), prices.cheapest(bits=(32, 8))
    assert both["bytes"] < wide["bytes"]
    assert both["params"] == wide["params"]


def test_profiled_cost_needs_its_profile(network):
    """A budget in ms without a profile is refused, and is priced by what a profile gives."""
    _, groups = network
    with pytest.raises(UserError, match="ms needs a profile"):
        Prices.of(groups, ["latency_ms"])

    class Constant:
        def predict(self, widths, cost="latency_ms"):
            return np.full(np.shape(widths)[:-1], 7.0)

    prices = Prices.of(groups, ["latency_ms"], {"latency_ms": Constant()})
    assert prices.costs == (*FORM_COSTS, "latency_ms")
    assert prices.dense()["latency_ms"] == 7.0
    assert prices.model("latency_ms_int8") is prices.models["latency_ms"]
