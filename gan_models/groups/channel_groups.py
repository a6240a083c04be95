"""The channels of a network: groups, the axes that carry them, gates, and the cost form."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..costs.cost_form import CostForm
from ..tracing.unpruned_reasons import UnprunedReason
from .plan import ChannelPlan


@dataclass(frozen=True)
class ChannelGroup:
    """A group of channels that all listed modules share.

    Attributes:
        name: The first module whose output they are.
        size: Channels at full width.
        modules: All modules whose parameters carry them, in the order of the graph.
    """

    name: str
    size: int
    modules: tuple[str, ...]


@dataclass(frozen=True)
class AxisChannels:
    """The channel of each position on one axis of one parameter or buffer.

    Attributes:
        parameter: Its name in `named_parameters()` or `named_buffers()`.
        axis: The axis.
        flat: int64 [n]; 0 for a position that is never pruned, else 1 + offset of its group + channel.
    """

    parameter: str
    axis: int
    flat: np.ndarray


@dataclass(frozen=True)
class IslandChannels:
    """A module that mixes channels without weights of its own, such as a norm written out in code.

    Attributes:
        module: Its name.
        axis: Axis of its input and output that carries the channels.
        flat: Channel of each position, as in `AxisChannels`.
        parameters: (name inside the module, axis) of its tensors that carry them.
    """

    module: str
    axis: int
    flat: np.ndarray
    parameters: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Rescaled:
    """Rows of a parameter that a cut multiplies, so that a number that a call computes from a size stays the same.

    Attributes:
        parameter: Its name.
        size: Rows at full width: the length of its first axis.
        rows: int64; positions on this axis.
        flat: Channels whose kept share is the number, as in `AxisChannels`.
        power: The exponent of this share.
    """

    parameter: str
    size: int
    rows: np.ndarray
    flat: np.ndarray
    power: float

    def factors(self, mask: np.ndarray) -> np.ndarray:
        """Return the factor of each row [size] under a mask of channels, as returned by `ChannelGroups.mask`."""
        factors = np.ones(self.size)
        factors[self.rows] = mask[self.flat].mean() ** self.power
        return factors


@dataclass(frozen=True)
class Unpruned:
    """A module whose channels are all kept, or that is not called, with the reason."""

    module: str
    reason: UnprunedReason


@dataclass(frozen=True)
class LayerCost:
    """The multiply-accumulates of one call at full width, for the traced input.

    Attributes:
        module: The module that makes the call.
        kind: The ATen call (`conv2d`, `conv_transpose2d`, `linear`, ...).
        macs, macs_published: On the grid that it computes on, and as papers count them.
        output_shape: Shape of its output at full width, batch included.
        outputs: Channels of the output, as in `AxisChannels.flat`; None if the call has no weight and its output is
            never pruned.
        rows, columns: Channels of the weight's first two axes, likewise.
    """

    module: str
    kind: str
    macs: int
    macs_published: int
    output_shape: tuple[int, ...] = ()
    outputs: np.ndarray | None = field(default=None, compare=False)
    rows: np.ndarray | None = field(default=None, compare=False)
    columns: np.ndarray | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ChannelGroups:
    """The channels of a network, as pruning needs them; a pure function of its graph.

    Attributes:
        groups: Groups in the order of the graph.
        unpruned: Modules whose channels are all kept, and modules not called, with the reason.
        axes: Every parameter axis with prunable positions: what `cut` slices.
        gates: Axes that consume channels (True: exact for gates of 0 and 1 only).
        writes: Axes of the weights that write channels.
        norms: Norm modules with the channel of each position of their input (`flat`, as in AxisChannels).
        form: The cost form.
        layers: Costs of the dense network, per call.
        masks: Further axes at which a gate of zero makes the tensor zero; other values have no effect there.
        islands: Modules that a gated network runs on the kept channels alone.
        rescaled: Rows that a cut multiplies.
    """

    groups: tuple[ChannelGroup, ...]
    unpruned: tuple[Unpruned, ...]
    axes: tuple[AxisChannels, ...]
    gates: tuple[tuple[AxisChannels, bool], ...]
    writes: tuple[AxisChannels, ...]
    norms: tuple[tuple[str, np.ndarray], ...]
    form: CostForm
    layers: tuple[LayerCost, ...] = ()
    offsets: dict[str, int] = field(default_factory=dict)
    masks: tuple[AxisChannels, ...] = ()
    islands: tuple[IslandChannels, ...] = ()
    rescaled: tuple[Rescaled, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the groups, in order."""
        return tuple(group.name for group in self.groups)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of channels of each group at full width."""
        return {group.name: group.size for group in self.groups}

    def full_plan(self) -> ChannelPlan:
        """Return the plan that keeps all channels."""
        return ChannelPlan.full(self.sizes)

    def check(self, plan: ChannelPlan) -> None:
        """Raise ValueError if the plan does not fit these groups."""
        unknown, missing = set(plan.kept) - set(self.names), set(self.names) - set(plan.kept)
        if unknown or missing:
            raise ValueError(
                f"the plan does not fit the network: got unknown groups {sorted(unknown)[:5]}, missing groups "
                f"{sorted(missing)[:5]}"
            )
        for name, size in self.sizes.items():
            if plan.kept[name][-1] >= size:
                raise ValueError(f"plan keeps channel {plan.kept[name][-1]} of group {name!r}, which has {size}")

    def mask(self, plan: ChannelPlan) -> np.ndarray:
        """Return a Boolean mask [1 + channels of all groups]: entry 0 is for positions that are never pruned."""
        self.check(plan)
        mask = np.zeros(1 + sum(self.sizes.values()), dtype=bool)
        mask[0] = True
        for name, kept in plan.kept.items():
            mask[1 + self.offsets[name] + np.asarray(kept, dtype=np.int64)] = True
        return mask


def owner(parameter: str) -> str:
    """Return the name of the module that a parameter belongs to; a parametrization counts as part of its module."""
    head = parameter.partition(".parametrizations.")[0]
    return head if head != parameter else parameter.rpartition(".")[0]
