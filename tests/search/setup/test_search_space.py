"""Proposals of a resolved study."""

import numpy as np
import pytest
from ganprune.gan_models.costs.combined_budgets import Bound
from ganprune.search.config import StudyConfig
from ganprune.search.setup.resolve import resolve
from ganprune.search.setup.search_space import SearchSpace, target_of

from ...tiny_study import SMALL

BOTH = {
    "data": "builtin:stripes", "prune_network": "both", "budgets": ("AtoB=60%", "BtoA=40%"),
    "task_settings": {"discriminator": {"ndf": 4, "n_layers": 1}},
}  # fmt: skip


def space(**changes) -> SearchSpace:
    study, parts = resolve(StudyConfig(name="s", **SMALL | changes))
    return SearchSpace.of(study, parts)


def test_every_uniform_plan_meets_all_budgets():
    """The first budget is the target's range; each other one is a bound that no plan breaks."""
    found = space(budgets=("60%", "12kB"))
    (bound,) = found.bounds
    assert (bound.cost, bound.limit) == ("bytes", 12_000)
    proposals = found.proposals()
    form, highest = found.groups.form, proposals.highest
    for share in (0.4, 0.7, 1.0):
        widths = form.widths(proposals.widths.uniform(share * highest))
        assert float(form.predict(widths, "macs")) <= share * highest
        assert float(form.predict(widths, "bytes")) <= 12_000


def test_several_generators_share_a_target_by_their_budgets():
    """60 % and 40 % of equal networks: shares of 0.6 and 0.4, each with its own groups without its name."""
    found = space(**BOTH)
    assert [(each.name, round(each.share, 6)) for each in found.generators] == [("AtoB", 0.6), ("BtoA", 0.4)]
    assert found.bounds == ()
    for each in found.generators:
        own = each.own(found.groups.sizes)
        assert own == each.groups.sizes
        assert not any(name.startswith(each.name) for name in own)


def test_the_target_of_a_trial_prices_a_broken_bound_above_it():
    """With a bound a plan within the target but over the bound costs more than the target; without one it does not."""
    found = space()
    form, prices = found.groups.form, found.prices
    full, value = np.asarray(form.sizes), 2 * form.dense()
    loose = target_of("macs", value, 1, prices)
    assert (loose.cost, loose.value) == ("macs", value)
    bound = Bound("params", form.dense("params") / 2, form)
    tight = target_of("macs", value, 1, prices, [bound])
    assert tight.model is not None
    assert float(tight.model.predict(full, "macs")) == pytest.approx(2 * value)
    assert float((loose.model or form).predict(full, "macs")) == form.dense()
