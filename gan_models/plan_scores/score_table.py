"""The score table of a network: the loss of each group's readers at every width, from one pass over calibration inputs.

Losses are ZipLM's structured scores if a layer reads the group, see `reconstruction.channel_scores`. The table does not
depend on the budget: widths for any budget (`solver`) and the kept channels follow from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..checkpoints.tensor_hashes import add_tensors, add_weights
from ..files.atomic_files import read_json, write_json
from ..files.errors import UserError
from ..files.plain_values import from_json, to_json
from ..groups.channel_groups import ChannelGroups
from ..groups.plan import ChannelPlan
from ..reconstruction.calibration import Calibration
from ..reconstruction.channel_scores import PROBES, probed_scores

How = Literal["schur", "gauss_newton", "even"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GroupScores:
    """The scores of one group.

    Attributes:
        worth: Its channels, most important first: width w keeps the first w.
        losses: Squared error of its readers' outputs relative to their variance, summed over the readers: at widths 1
            to full, decreasing, zero at full width.
        how: Kind of the losses. `schur`: after a refit of the remaining weights. `gauss_newton`, for groups that no
            convolution or linear layer reads: to first order at the network's output. `even`, for groups that do not
            affect the output to first order: in proportion to the removed channels.

    Raises:
        UserError: `worth` is not a permutation of the channels, or the number of losses differs.
    """

    worth: tuple[int, ...]
    losses: tuple[float, ...]
    how: How = "schur"

    @property
    def channel_scores(self) -> Floats:
        """Score of each channel [size]: the increase of the loss when it is removed after all less important ones."""
        scores, highest = np.zeros(len(self.worth)), 0.0
        at = (*self.losses, 0.0)
        for width in range(len(self.worth) - 1, -1, -1):  # the channel that is removed when `width` channels stay
            gone = at[width - 1] - at[width] if width else 0.0
            highest = max(gone, float(np.nextafter(highest, np.inf)))
            scores[self.worth[width]] = highest
        return scores

    def __post_init__(self) -> None:
        """Check that channels and losses belong to one group."""
        if sorted(self.worth) != list(range(len(self.losses))) or not self.losses:
            raise UserError(
                f"scores of a group do not fit together: got {len(self.worth)} channels and {len(self.losses)} losses; "
                "expected each channel once, and one loss per width"
            )
        falling = all(b <= a for a, b in pairwise(self.losses))
        if not falling or self.losses[-1] != 0 or not np.isfinite(self.losses[0]):
            raise UserError(
                "losses of a group are invalid: got a loss above zero at full width; expected zero. Try to make the "
                "table again"
            )


@dataclass(frozen=True)
class ScoreTable:
    """The losses of a network's groups, each cut alone.

    Attributes:
        groups: Group name -> its scores, in the order of the network's groups.
        identity: Hash of everything that determines the table; see `identity_of`.
        inputs: Number of calibration inputs.
        macs: Multiply-accumulates that the table took.
    """

    groups: Mapping[str, GroupScores]
    identity: str = ""
    inputs: int = 0
    macs: int = 0

    @cached_property
    def losses(self) -> tuple[Floats, ...]:
        """Losses at widths 1 to full, one array per group."""
        return tuple(np.array(group.losses) for group in self.groups.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the groups."""
        return tuple(self.groups)

    @property
    def sizes(self) -> dict[str, int]:
        """Channels of each group at full width."""
        return {name: len(group.losses) for name, group in self.groups.items()}

    def score(self, widths: Mapping[str, int]) -> float:
        """Return the summed losses of a plan's widths."""
        return sum(self.groups[name].losses[width - 1] for name, width in widths.items())

    def losses_at(self, widths: NDArray[np.int64]) -> float:
        """Return the summed losses of widths [G]."""
        return float(sum(losses[width - 1] for losses, width in zip(self.losses, widths, strict=True)))

    def times(self, factors: Mapping[str, float]) -> ScoreTable:
        """Return the table with each group's losses multiplied by its factor."""
        scaled = {
            name: replace(group, losses=tuple(factors[name] * loss for loss in group.losses))
            for name, group in self.groups.items()
        }
        return replace(self, groups=scaled)

    def plan(self, widths: Mapping[str, int]) -> ChannelPlan:
        """Return the plan of these widths that keeps the most important channels."""
        return ChannelPlan({name: tuple(sorted(self.groups[name].worth[:width])) for name, width in widths.items()})

    def save(self, path: str | Path) -> None:
        """Write the table as JSON, atomically."""
        write_json(Path(path), to_json(self))

    @classmethod
    def load(cls, path: str | Path) -> ScoreTable:
        """Return the table of a file.

        Raises:
            UserError: The file is missing, or contains no score table.
        """
        content = read_json(Path(path))
        if content is None:
            raise UserError(f"score table cannot be read: got {path}; expected a JSON file that `save` wrote")
        return from_json(cls, content, str(path))


def score_table(model: nn.Module, groups: ChannelGroups, calibration: Calibration) -> ScoreTable:
    """Return the score table of a network.

    Args:
        model: The dense network.
        groups: Its groups.
        calibration: Inputs without labels; as many are used as fit into memory.
    """
    inputs = calibration.fitting(model)
    removed = calibration.removals(model, groups)
    found: dict[str, GroupScores] = {}
    macs = removed.macs
    probed: Mapping[str, Floats] = {}
    if set(groups.names) - set(removed.groups):
        probed = _relative(model, inputs, probed_scores(model, groups, inputs, calibration.seed))
        macs += removed.macs * (1 + 2 * PROBES)
    for name, size in groups.sizes.items():
        if name in removed.groups:
            one = removed.groups[name]
            found[name] = _group(one.channels, one.losses, "schur")
        elif probed[name].any():
            order = np.argsort(probed[name], kind="stable")
            found[name] = _group(order, probed[name][order[:-1]], "gauss_newton")
        else:
            found[name] = _group(np.arange(size)[::-1], np.full(size - 1, 1 / size), "even")
    return ScoreTable(found, identity_of(model, groups, inputs, calibration.seed), len(inputs[0]), macs)


def _group(removed: NDArray[np.int64], losses: Floats, how: How) -> GroupScores:
    """Return the scores of a group from the order of its channels' removal and the loss of each removal."""
    summed = np.concatenate([[0.0], np.cumsum(losses)])[::-1]  # first entry: width 1
    return GroupScores(tuple(int(channel) for channel in removed[::-1]), tuple(float(x) for x in summed), how)


def _relative(model: nn.Module, inputs: tuple[Tensor, ...], probed: Mapping[str, Floats]) -> Mapping[str, Floats]:
    """Return squared changes of the outputs relative to the outputs' variance."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        outputs = model(*inputs)
    model.train(was_training)
    parts = outputs if isinstance(outputs, tuple | list) else [outputs]
    energy = sum(float(part.double().var() * part.numel()) for part in parts)
    return {name: scores / max(energy * PROBES, 1e-300) for name, scores in probed.items()}


def identity_of(model: nn.Module, groups: ChannelGroups, inputs: tuple[Tensor, ...], seed: int) -> str:
    """Return a hash (24 hex digits) of everything that determines a table: weights, groups, inputs and seed."""
    digest = hashlib.sha256(f"1 {seed} {list(groups.sizes.items())}".encode())
    add_weights(digest, model)
    add_tensors(digest, *inputs)
    return digest.hexdigest()[:24]
