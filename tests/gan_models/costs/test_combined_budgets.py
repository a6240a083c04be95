"""Several budgets as one cost."""

import numpy as np
import torch
from ganprune.gan_models.costs.combined_budgets import BindingCost, Bound, priced_with
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build

with torch.device("meta"):
    FORM = find_groups(build("resnet", {"ngf": 8, "n_blocks": 1}), torch.empty(1, 3, 16, 16)).form


def test_the_binding_cost_is_at_or_under_the_target_exactly_where_every_budget_is_met():
    """Over random plans; where only the first budget binds it is the first cost itself."""
    plans = np.random.default_rng(0).integers(1, FORM.sizes + 1, (500, len(FORM.sizes)))
    target = 0.4 * FORM.dense()
    bounds = (Bound("params", 0.3 * FORM.dense("params"), FORM), Bound("macs_published", 0.35 * FORM.dense(), FORM))
    binding = BindingCost(FORM, target, bounds).predict(plans)
    met = [FORM.predict(plans) <= target, *(FORM.predict(plans, bound.cost) <= bound.limit for bound in bounds)]
    assert all(0 < each.sum() < len(plans) for each in met)
    assert np.array_equal(binding <= target, np.all(met, axis=0))
    loose = BindingCost(FORM, target, (Bound("params", 1e12, FORM),))
    assert np.array_equal(loose.predict(plans), FORM.predict(plans))
    assert priced_with(FORM, target, ()) is FORM


def test_a_plan_twice_over_a_bound_costs_twice_the_target():
    """The excess is measured in the target's unit, whatever the bound's is."""
    params = float(FORM.predict(FORM.sizes, "params"))
    binding = BindingCost(FORM, 10 * FORM.dense(), (Bound("params", params / 2, FORM),))
    assert float(binding.predict(FORM.sizes)) == 20 * FORM.dense()


def test_bounds_are_priced_as_the_network_is_stored():
    """Bytes in eight bits have a name of their own; MACs are the same in any."""
    assert Bound("bytes", 1.0, FORM).stored(8, True).cost == "bytes_int8_per_channel"
    assert Bound("bytes", 1.0, FORM).stored(32, True).cost == "bytes"
    assert Bound("macs", 1.0, FORM).stored(8, False).cost == "macs"
