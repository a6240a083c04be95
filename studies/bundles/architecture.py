"""The architecture of a bundle: how its network is built again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...gan_models.files.errors import UserError
from ...gan_models.files.plain_values import from_json, to_json
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.networks.specs import OUTPUT, RANGES, InputSpec, OutputSpec

ARCHITECTURE, SOURCE = "architecture.json", "source.py"
TASK_CODE = "task_code"  # folder of the task's own code, under the names of the study's copies
FORMAT = 2
FORMATS = (1, FORMAT)  # those that are read


class BundleError(UserError):
    """A bundle that is damaged, incomplete or from another version; one line."""


@dataclass(frozen=True)
class Architecture:
    """A recipe to build a bundle's network again.

    Attributes:
        model: What `catalog.build` takes; `source.py:function` means the copy inside the bundle.
        arguments: Keyword arguments of the builder.
        inputs: What the network takes.
        output: What it gives; None in a bundle of an earlier version: its only output, an image in [-1, 1].
        task: What it was trained for.
        network: Its name in the task.
        plan: Kept channels by group.
        sizes: Channels of these groups at full width.
        whole: Groups that the study does not prune -> the reason; without them other groups would be found.
        architecture: Hash of plan, model and arguments.

    Raises:
        UserError: The hash does not fit.
    """

    model: str
    arguments: Mapping[str, Any]
    inputs: InputSpec
    task: str
    network: str
    plan: ChannelPlan
    sizes: Mapping[str, int]
    whole: Mapping[str, str]
    architecture: str
    output: OutputSpec | None = None

    def __post_init__(self) -> None:
        computed = self.plan.architecture(self.model, self.arguments)
        if computed != self.architecture:
            raise UserError(f"{ARCHITECTURE} says architecture {self.architecture}, its plan gives {computed}")

    @property
    def source(self) -> str | None:
        """The function's name if a copy of the source is in the bundle."""
        name, colon, function = self.model.partition(":")
        return function if colon and name == SOURCE else None

    @property
    def selected(self) -> str:
        """Name or index of the output that counts; empty if the network returns one."""
        return self.output.selected if self.output else ""

    @property
    def output_name(self) -> str:
        """The output's name in exported files."""
        return self.output.name_beside(self.inputs) if self.output else OUTPUT

    @property
    def output_range(self) -> tuple[float, float]:
        """The least and the largest value that stand for black and white."""
        return self.output.value_range if self.output else RANGES["image"]

    @property
    def output_color(self) -> str:
        """The color that the output's channels stand for; empty: the usual one of their number."""
        return self.output.color if self.output else ""

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """The shape of a single image or latent; cards of version 0.1.0 print it. None for other inputs."""
        return self.inputs.shape


def architecture_json(architecture: Architecture) -> dict[str, Any]:
    """Return the content of the bundle's file; widths stand in it for other programs."""
    return {"format": FORMAT, "widths": architecture.plan.widths, **to_json(architecture)}


def architecture_of(data: Mapping[str, Any]) -> Architecture:
    """Return the architecture that a bundle's file holds, of this version or an earlier one.

    Raises:
        BundleError: Another format, something missing, or a hash that does not fit.
    """
    if data.get("format") not in FORMATS:
        raise BundleError(
            f"the bundle has format {data.get('format')!r}, this version of ganprune reads "
            f"{' and '.join(map(str, FORMATS))}"
        )
    values = {name: value for name, value in data.items() if name not in ("format", "widths")}
    try:
        if data["format"] == 1:
            values["inputs"] = to_json(InputSpec.of_shape(values.pop("input_shape")))
            values["plan"] = {"kept": values["plan"]}
        return from_json(Architecture, values)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{ARCHITECTURE} is incomplete or of the wrong kind: {error}") from error
