"""Networks composed of random operators: cut equals gated, costs are predicted, and most of them can be pruned.

The suite tries a few; `make fuzz` sets FUZZ_EXAMPLES to 500.
"""

import os

import hypothesis.strategies as st
import numpy as np
import torch
from ganprune.evaluators.cost.counters import count_cost
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.pruning.gates import gated_call, plan_gates
from hypothesis import HealthCheck, Phase, given, settings

from ..random_cuts import lively
from ..random_operators import LATENT, OPERATORS, RandomNetwork, Step

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
SEEDS = 3 if "FUZZ_EXAMPLES" in os.environ else 1  # plans per operator
LEAST_PRUNABLE = 0.6  # of the MACs of all examples together
# Operators that are cut wrongly today, and what happens. An empty table is the aim.
WRONG: dict[str, str] = {}

STEPS = st.builds(
    Step,
    operator=st.sampled_from([name for name in OPERATORS if name not in WRONG]),
    first=st.integers(0, 3),
    second=st.integers(0, 3),
    width=st.integers(1, 3),
)


def _tried(steps: list[Step], seed: int) -> tuple[float, float]:
    """Cut a network by an uneven plan, compare it with the gated one; MACs that can be pruned, and all of them."""
    model = lively(RandomNetwork(steps))
    inputs = (torch.rand(2, 3, 8, 8).double(), torch.randn(2, LATENT).double())
    one = tuple(x[:1] for x in inputs)
    groups = find_groups(model, one)
    draw = np.random.default_rng(seed)
    widths = {g.name: int(draw.integers(1, g.size)) for g in groups.groups}
    plan = ChannelPlan({g.name: sorted(draw.choice(g.size, widths[g.name], replace=False)) for g in groups.groups})
    small = cut(model, groups, plan)
    with torch.no_grad():
        expected, found = gated_call(model, groups, plan_gates(groups, plan, inputs[0]), *inputs), small(*inputs)
    worst = float((found - expected).abs().max() / expected.abs().max())
    assert worst <= 1e-9, f"cut and gated differ by {worst:.2g}"
    predicted = float(groups.form.predict(groups.form.widths(plan.widths)))
    counted = count_cost(small, one).macs
    assert predicted == counted, f"predicted {predicted:.0f} MACs, counted {counted}"
    return groups.form.dense() - groups.form.cheapest(), groups.form.dense()


def test_random_networks_are_cut_right_and_most_of_them_can_be_pruned():
    """No difference between cut and gated, exact MACs, and at least 60 % of the MACs of all networks prunable."""
    prunable = total = 0.0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize="FUZZ_EXAMPLES" not in os.environ,  # the suite tries the same networks each time
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(STEPS, min_size=1, max_size=8), st.integers(0, 2**32 - 1))
    def run(steps: list[Step], seed: int) -> None:
        nonlocal prunable, total
        found, dense = _tried(steps, seed)
        prunable, total = prunable + found, total + dense

    run()
    assert prunable >= LEAST_PRUNABLE * total, f"{prunable / total:.1%} of all MACs can be pruned"


def test_each_operator_alone_is_cut_right():
    """Between two convolutions, each operator's cut equals the gated network, and its MACs are predicted."""
    failed = {}
    for name in OPERATORS:
        try:
            for seed in range(SEEDS):
                _tried([Step("conv", width=2), Step(name, width=2), Step("conv", width=2)], seed)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    assert [f"{name}: {why}" for name, why in failed.items() if name not in WRONG] == []
