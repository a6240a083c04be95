"""The check of a generator at the start of a study: random uneven plans by their outputs, then by their costs."""

from __future__ import annotations

import warnings

from torch import nn

from ...gan_models.cut_checks.group_check import Find, GroupCheck, check_groups
from ...gan_models.files.errors import UserError
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.networks.specs import InputSpec
from .cost_check import check_costs


def check_plans(name: str, model: nn.Module, inputs: InputSpec, groups: ChannelGroups, find: Find) -> GroupCheck:
    """Check that cuts of a generator only remove channels, and that their costs are as predicted.

    Args:
        name: The generator, for messages.
        model: The network at full width with values, on the CPU; not changed.
        inputs: Its inputs.
        groups: Its groups.
        find: Function that finds the groups without the pinned ones.

    Returns:
        The check, in which failing groups are pinned.

    Raises:
        UserError: The network does not run, or a cost differs from its prediction.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of torch about sizes that do not fit: the check itself reports these
        try:
            checked = check_groups(model, inputs, groups, find)
        except UserError as error:
            raise UserError(f"generator {name}: {error}") from error
        check_costs(name, model, checked.groups, inputs.examples(), checked.plans)
    return checked
