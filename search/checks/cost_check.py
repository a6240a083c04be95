"""Comparison of predicted costs of a generator's plans with independent counts of the cut networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ...evaluators.cost.counters import ModuleCost, count_modules
from ...gan_models.files.errors import UserError
from ...gan_models.files.meta_device import meta_copy
from ...gan_models.groups.channel_groups import ChannelGroups, owner
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.groups.surgery import cut

COUNTED_COSTS = ("macs", "macs_published", "params")
MAX_NAMED_MODULES = 3  # number of modules that a message names


def check_costs(
    name: str, model: nn.Module, groups: ChannelGroups, example: tuple[Tensor, ...], plans: Iterable[ChannelPlan]
) -> None:
    """Compare the predicted costs of the dense network and of plans with a count of each network.

    Args:
        name: The generator, for messages.
        model: The network at full width; on the meta device, or with values if it needs them.
        groups: Its groups.
        example: One input of each kind.
        plans: Plans of the groups.

    Raises:
        UserError: A cost differs; the message names the modules whose costs differ.
    """
    model = _light(model, example)
    for plan in (groups.full_plan(), *plans):
        widths = groups.form.widths(plan.widths)
        whole, modules = count_modules(cut(model, groups, plan), example)
        for cost in COUNTED_COSTS:
            predicted = float(groups.form.predict(widths, cost))
            counted = float(getattr(whole, cost))
            if predicted != counted:
                full = all(len(plan.kept[group]) == size for group, size in groups.sizes.items())
                where = _differing(groups, plan, cost, modules, model)
                raise UserError(
                    f"the cost of {name} cannot be predicted: got {predicted:,.0f} {cost} for "
                    f"{'the dense network' if full else 'a plan'}; expected the counted {counted:,.0f} ({where}). Try "
                    f"to write these modules with layers of torch.nn"
                )


def _light(model: nn.Module, example: tuple[Tensor, ...]) -> nn.Module:
    """Return a copy without values if the network runs without them, so that a cut copies nothing."""
    light = meta_copy(model)
    try:
        with torch.no_grad():
            light(*(torch.empty_like(x, device="meta") for x in example))
    except Exception:  # a user's network may need values
        return model
    return light


def _differing(
    groups: ChannelGroups, plan: ChannelPlan, cost: str, counted: Mapping[str, ModuleCost], model: nn.Module
) -> str:
    """Return the modules whose predicted and counted costs differ, with both costs."""
    predicted = _params(groups, plan, model) if cost == "params" else _macs(groups, plan, cost)
    found = {name: getattr(module, cost) for name, module in counted.items()}
    rows = [
        f"{name or 'the model'}: {predicted.get(name, 0):,.0f} predicted, {found.get(name, 0):,.0f} counted"
        for name in dict.fromkeys((*found, *predicted))
        if round(predicted.get(name, 0)) != found.get(name, 0)
    ]
    more = f", and {len(rows) - MAX_NAMED_MODULES} more" if len(rows) > MAX_NAMED_MODULES else ""
    return "; ".join(rows[:MAX_NAMED_MODULES]) + more if rows else "no module differs by itself"


def _macs(groups: ChannelGroups, plan: ChannelPlan, cost: str) -> dict[str, float]:
    mask, found = groups.mask(plan), dict[str, float]()
    for layer in groups.layers:
        share = 1.0
        for flat in (layer.rows, layer.columns):
            share *= 1.0 if flat is None else float(mask[flat].mean())
        found[layer.module] = found.get(layer.module, 0.0) + share * getattr(layer, cost)
    return found


def _params(groups: ChannelGroups, plan: ChannelPlan, model: nn.Module) -> dict[str, float]:
    mask, shares = groups.mask(plan), dict[str, float]()
    for entry in groups.axes:
        shares[entry.parameter] = shares.get(entry.parameter, 1.0) * float(np.mean(mask[entry.flat]))
    found: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        found[owner(name)] = found.get(owner(name), 0.0) + parameter.numel() * shares.get(name, 1.0)
    return found
