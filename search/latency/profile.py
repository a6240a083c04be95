"""A latency profile: what one device measured of one network, as plain JSON, and the predictor made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...evaluators.cost.device import Device
from ...gan_models.costs.cost_form import LATENCY, LATENCY_INT8
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import json_sha256
from ...gan_models.files.meta_device import build_for_shapes
from ...gan_models.files.plain_values import from_json, later, to_json
from ...gan_models.groups.discovery import find_groups
from ...gan_models.latency.block_finder import Blocks, find_blocks
from ...gan_models.latency.predictor import Fit, Grid, LatencyForm, Term
from ...gan_models.networks.catalog import build
from ...gan_models.networks.specs import InputSpec
from ..setup.opened_profile import NoProfile
from .data_types import INT8

FORMAT = 2
PROFILE_HINT = (
    "run `ganprune profile-device --model ...` with the same model, arguments and image size on the device first"
)


@dataclass(frozen=True)
class LayerTable:
    """The measurements of one distinct layer.

    Attributes:
        key: Of the block (`gan_models.latency.blocks.Block.key`).
        what: Its calls and full shape, for people.
        channels: Per side the channels that were measured.
        ms: Medians, the last side's channels fastest.
        p90_ms: The same of the 90th percentiles.
        weighted: Whether it multiplies by a weight.
    """

    key: str
    what: str
    channels: tuple[tuple[int, ...], ...]
    ms: tuple[float, ...]
    p90_ms: tuple[float, ...]
    weighted: bool

    def __post_init__(self) -> None:
        """Check that there is a time for each point of the grid."""
        self.grid(1)

    def grid(self, multiple: int) -> Grid:
        """Return the table as the predictor reads it. Raise ValueError if sizes do not match."""
        shape = tuple(len(points) for points in self.channels) + (1,) * (2 - len(self.channels))
        table = np.array(self.ms, dtype=np.float64)
        if table.size != np.prod(shape):
            raise ValueError(f"layer {self.key} has {table.size} times for a grid of {shape}")
        return Grid(self.channels, table.reshape(shape), multiple if self.weighted else 1)


@dataclass(frozen=True)
class Accuracy:
    """The errors of the predictor on whole networks that it was not fitted to.

    Attributes:
        error: Median of |predicted / measured - 1|.
        worst: The largest of them.
        rank_correlation: Spearman's.
        n: Networks.
    """

    error: float
    worst: float
    rank_correlation: float
    n: int

    def describe(self) -> str:
        """One line for people."""
        return (
            f"median error {100 * self.error:.1f} %, largest {100 * self.worst:.1f} %, "
            f"rank correlation {self.rank_correlation:.3f} on {self.n} held-out networks"
        )


@dataclass(frozen=True)
class WholeNetworks:
    """The measurements of whole networks, and the fit to them.

    Attributes:
        fit: See `Fit`.
        widths: Channels by group of each network [N].
        measured_ms, predicted_ms: Of each, after the fit.
        held_out: Whether the fit has not seen it.
        dense_ms: Measured, of the unpruned network.
        accuracy: On those held out.
    """

    fit: Fit
    widths: tuple[Mapping[str, int], ...]
    measured_ms: tuple[float, ...]
    predicted_ms: tuple[float, ...]
    held_out: tuple[bool, ...]
    dense_ms: float
    accuracy: Accuracy


@dataclass(frozen=True)
class LatencyProfile:
    """A device's table for one network.

    Attributes:
        device: What was measured on. If its data type is int8, `whole` is of networks in 8 bits, and the tables of the
            layers are those of float32.
        network: Key of the network (`network_key`).
        model: Its name, for people.
        layers: Its distinct layers.
        whole: The fit to whole networks and its error.
        whole_int8: The same of networks that run in 8 bits; None where the device was not asked.
        multiple: Widths cost as much as the next multiple of this; 1 where the device likes none.
        multiples: Candidate -> time at the next multiple over the time at a width, median over widths.
        unmeasured: Calls that stand in no table.
        quiet: Whether every number comes from a quiet machine; False where the user allowed a busy one.
        command: Template of the command that reaches a remote device; empty: it is this machine.
    """

    device: Device
    network: str
    model: str
    layers: tuple[LayerTable, ...]
    whole: WholeNetworks
    multiple: int = 1
    multiples: Mapping[int, float] | None = None
    unmeasured: tuple[str, ...] = ()
    quiet: bool = True
    whole_int8: WholeNetworks | None = None
    command: str = later("")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"format": FORMAT, **to_json(self), "multiples": to_json(self.multiples or {})}

    def budget_between(self, share: float) -> str:
        """Return a budget so far (0 to 1) from the fastest measured plan to the slowest, as it is typed."""
        least, most = min(self.whole.predicted_ms), max(self.whole.predicted_ms)
        return f"{least + share * (most - least):.3g}ms"

    @property
    def multiples_text(self) -> str:
        """The measurements behind `multiple` as one line; empty if no layer is wide enough."""
        if not self.multiples:
            return ""
        costs = ", ".join(f"{n}: {100 * (value - 1):+.1f} %" for n, value in self.multiples.items())
        return f"time when a width is rounded up to a multiple of {costs}"

    @property
    def in_8_bits(self) -> WholeNetworks | None:
        """Whole networks in 8 bits; None if none were measured."""
        return self.whole if self.only_8_bits else self.whole_int8

    @property
    def only_8_bits(self) -> bool:
        """True if no network of 32 bits was measured."""
        return self.device.dtype == INT8

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LatencyProfile:
        """Return the profile that `to_json` wrote.

        Raises:
            ValueError: Another format, or something is missing.
        """
        if data.get("format") != FORMAT:
            raise UserError(
                f"a latency profile has format {FORMAT}, this one says {data.get('format')!r}: {PROFILE_HINT}"
            )
        return from_json(cls, {name: value for name, value in data.items() if name != "format"}, "latency profile")

    def sha256(self) -> str:
        """Return the hash of its content."""
        return json_sha256(self.to_json())

    def name(self, kind: str) -> str:
        """Name of a measurement on this device: `latency_ms[predicted,device=...,threads=2,batch=1]`."""
        device = self.device
        return f"latency_ms[{kind},device={device.id},threads={device.threads},batch={device.batch}]"

    def form(self, blocks: Blocks) -> LatencyForm:
        """Return the predictor for the network with these blocks, over all of its groups.

        Raises:
            NoProfile: The profile is of another network.
        """
        if network_key(blocks) != self.network:
            raise NoProfile(
                f"the latency profile of {self.model} ({self.device.describe()}) is of another network or resolution: "
                f"{PROFILE_HINT}"
            )
        fits = {LATENCY: self.whole.fit} | ({} if self.in_8_bits is None else {LATENCY_INT8: self.in_8_bits.fit})
        return replace(sum_of_layers(blocks, self.layers, self.multiple), fits=fits)


def sum_of_layers(blocks: Blocks, layers: tuple[LayerTable, ...], multiple: int) -> LatencyForm:
    """Return the predictor before it is fitted to whole networks.

    Raises:
        NoProfile: A layer is in no table.
    """
    grids = {layer.key: layer.grid(multiple) for layer in layers}
    missing = [block.describe() for block in blocks.blocks if block.key not in grids]
    if missing:
        raise NoProfile(f"{len(missing)} layers were never measured on this device, first {missing[0]}: {PROFILE_HINT}")
    counts: dict[tuple[str, bytes], tuple[Term, int]] = {}
    for block in blocks.blocks:
        units = tuple(side.unit for side in block.sides)
        same = (block.key, b"".join(unit.tobytes() for unit in units))
        term, n = counts.get(same, (Term(units, grids[block.key], weights=block.weights, integer=block.integer), 0))
        counts[same] = (term, n + 1)
    terms = tuple(replace(term, count=n) for term, n in counts.values())
    return LatencyForm(blocks.groups, blocks.sizes, terms)


def network_key(blocks: Blocks) -> str:
    """Sixteen hex digits: the same blocks, driven by the same groups, at the same resolution and batch."""
    parts = [[block.key, [side.unit.tolist() for side in block.sides]] for block in blocks.blocks]
    return json_sha256([list(blocks.groups), parts])[:16]


def blocks_of(model: str, arguments: Mapping[str, Any], inputs: InputSpec, batch: int = 1, output: str = "") -> Blocks:
    """Return the blocks of a generator by name, with every group prunable."""
    network = build_for_shapes(lambda: build(model, arguments, output))
    example = inputs.examples(batch)
    return find_blocks(network, example, find_groups(network, example))


def read_profile(path: str | Path, sha256: str = "") -> LatencyProfile:
    """Read a profile from its file.

    Raises:
        NoProfile: No such file, or (with a sha256) not the one that a study was made with.
        ValueError: It is not a profile.
    """
    data = read_json(Path(path).expanduser())
    if data is None:
        raise NoProfile(f"{path} is not a latency profile; {PROFILE_HINT}, with --out FILE")
    profile = LatencyProfile.from_json(data)
    if sha256 and profile.sha256() != sha256:
        raise NoProfile(f"{path} is not the latency profile that this study was made with; put it back")
    return profile


def write_profile(profile: LatencyProfile, path: str | Path) -> None:
    """Write the file that `read_profile` reads, atomically."""
    write_json(Path(path).expanduser(), profile.to_json())
