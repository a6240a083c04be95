"""A bundle's card: what the generator costs, how good it is, where it comes from, how the files were checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...evaluators.measurement import Measurement
from ...gan_models.files.errors import UserError
from ...spaces.budget import describe

if TYPE_CHECKING:
    from .int8 import Int8Report


@dataclass(frozen=True)
class Parity:
    """How far the files' outputs are from those of the generator that was exported.

    Attributes:
        reload: Largest absolute difference of the network rebuilt from the bundle, in PyTorch.
        onnx: The same for the ONNX file in ONNX Runtime on the CPU; None where the network cannot be written as ONNX.
        scale: Largest absolute output, or 1 where that is smaller; differences are judged relative to it.
        n_inputs: Inputs compared, in batches of different sizes.
        tolerance: Largest difference allowed, times `scale`.
    """

    reload: float
    onnx: float | None
    scale: float
    n_inputs: int
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether all differences are within the tolerance (a NaN is not)."""
        limit = self.tolerance * self.scale
        return self.reload <= limit and (self.onnx is None or self.onnx <= limit)

    @property
    def onnx_shown(self) -> str:
        """The ONNX file's difference for people."""
        return "none was written" if self.onnx is None else f"{self.onnx:.3g}"

    def to_json(self) -> dict[str, float | int | None]:
        """Plain JSON."""
        return {
            "reload": self.reload,
            "onnx": self.onnx,
            "scale": self.scale,
            "n_inputs": self.n_inputs,
            "tolerance": self.tolerance,
        }


@dataclass(frozen=True)
class Card:
    """What somebody who is handed the bundle has to know.

    Attributes:
        costs: Cost name -> counted cost of the exported generator, one input.
        teacher_costs: The same for the dense generator.
        measurements: Everything measured of the trial, its quality first.
        teacher_measurements: The same for the dense generator.
        lineage: Study, trial, method, target, settings, seeds, data and its hash, architecture.
        versions: Of ganprune, Python, torch, onnx and onnxruntime.
        parity: Differences measured when the files were loaded again.
        notes: What a user must know besides.
        int8: What is known of the int8 file; None where there is none.
    """

    costs: Mapping[str, float]
    teacher_costs: Mapping[str, float]
    measurements: tuple[Measurement, ...]
    teacher_measurements: tuple[Measurement, ...]
    lineage: Mapping[str, Any]
    versions: Mapping[str, str]
    parity: Parity
    notes: tuple[str, ...] = field(default=())
    int8: Int8Report | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "costs": dict(self.costs),
            "teacher_costs": dict(self.teacher_costs),
            "measurements": [m.to_json() for m in self.measurements],
            "teacher_measurements": [m.to_json() for m in self.teacher_measurements],
            "lineage": dict(self.lineage),
            "versions": dict(self.versions),
            "parity": self.parity.to_json(),
            "notes": list(self.notes),
            "int8": None if self.int8 is None else self.int8.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Card:
        """The card that `to_json` wrote.

        Raises:
            ValueError: Something is missing or of the wrong kind.
        """
        try:
            return cls(
                costs={str(name): float(value) for name, value in data["costs"].items()},
                teacher_costs={str(name): float(value) for name, value in data["teacher_costs"].items()},
                measurements=tuple(Measurement.from_json(m) for m in data["measurements"]),
                teacher_measurements=tuple(Measurement.from_json(m) for m in data["teacher_measurements"]),
                lineage=dict(data["lineage"]),
                versions=dict(data["versions"]),
                parity=Parity(**data["parity"]),
                notes=tuple(data["notes"]),
                int8=None if data.get("int8") is None else _int8_report(data["int8"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"the card is incomplete or of the wrong kind: {error}") from error

    def to_markdown(self) -> str:
        """The card for people."""
        line = self.lineage
        lines = [
            f"# {line.get('model', 'generator')}, pruned: trial {line.get('trial')} of study {line.get('study')}",
            "",
        ]
        lines += ["## Cost", "", "| cost of one input | pruned | dense teacher | share |", "|---|---|---|---|"]
        for name, value in self.costs.items():
            whole = self.teacher_costs.get(name)
            kind = "bytes" if name.endswith("_bytes") else name
            dense, share = (describe(whole, kind), f"{100 * value / whole:.2f} %") if whole else ("", "")
            lines.append(f"| {name} | {describe(value, kind)} | {dense} | {share} |")
        lines += [
            "",
            "`macs` counts multiply-accumulates where they are done; `macs_published` counts transposed convolutions "
            "on their output grid, as most papers do. `peak_activation_bytes` is the largest sum of live tensors in an "
            "eager forward pass of one image, weights not counted.",
            "",
            "## Quality",
            "",
            "| measurement | pruned | dense teacher |",
            "|---|---|---|",
        ]
        dense_by_name = {m.name: m for m in self.teacher_measurements}
        quality = [m for m in self.measurements if m.name not in self.costs]
        for m in quality:
            lines.append(f"| {m.name} ({m.unit}) | {with_interval(m)} | {with_interval(dense_by_name.get(m.name))} |")
        protocols = dict.fromkeys(m.protocol for m in quality if m.protocol)
        lines += ["", "The first is the study's quality; lower is better. Intervals are 90 %. Protocols:", ""]
        lines += [f"* {protocol}" for protocol in protocols] + ["", "## Where it comes from", ""]
        lines += [f"* {name}: {_shown(value)}" for name, value in line.items()]
        lines += ["", "## Checked when it was exported", ""]
        lines += [
            f"* loaded again in PyTorch: largest difference {self.parity.reload:.3g}",
            f"* ONNX file in ONNX Runtime: largest difference {self.parity.onnx_shown}",
            f"* on {self.parity.n_inputs} inputs; allowed: {self.parity.tolerance:g} x {self.parity.scale:.3g}",
            "",
            "Made with " + ", ".join(f"{name} {version}" for name, version in self.versions.items()) + ".",
        ]
        if self.int8:
            lines += ["", "## In 8 bits", "", *(f"* {text}" for text in self.int8.lines())]
        lines += ["", "## In Python", "", *self._snippet()]
        if self.notes:
            lines += ["", "## Notes", "", *(f"* {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    def _snippet(self) -> list[str]:
        """How the files are used, in Python that runs in the bundle's folder."""
        latent = self.lineage.get("task") == "unconditional"
        drawn = "torch.randn(1, *shape)  # normally distributed" if latent else "torch.rand(1, *shape) * 2 - 1"
        gives = "Images that it gives are in [-1, 1]." if latent else "Images are RGB, (N, C, H, W), in [-1, 1]."
        lines = [
            f"{gives} The batch size is free.",
            "",
            "```python",
            "from pathlib import Path",
            "",
            "import torch",
            "from ganprune.studies.bundle import load_bundle, read_architecture",
            "",
            'bundle = Path(".")  # this folder',
            "shape = read_architecture(bundle).input_shape",
            f"x = {drawn}",
            "with torch.no_grad():",
            "    y = load_bundle(bundle)(x)",
        ]
        if self.parity.onnx is not None:
            lines += [
                "",
                "import onnxruntime  # needs neither ganprune nor PyTorch",
                "",
                'session = onnxruntime.InferenceSession(str(bundle / "generator.onnx"))',
                'z = session.run(None, {"input": x.numpy()})[0]',
            ]
        return [*lines, "```"]


def with_interval(m: Measurement | None, digits: int = 4) -> str:
    """A measurement for people: its value and interval, or why there is none."""
    if m is None:
        return ""
    if m.reason is not None:
        return m.reason
    shown = f"{m.value:.{digits}g}"
    return shown if m.low is None or m.high is None else f"{shown} [{m.low:.{digits}g}, {m.high:.{digits}g}]"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_shown(item)}" for name, item in value.items()) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_shown, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _int8_report(data: Mapping[str, Any]) -> Int8Report:
    from .int8 import Int8Report  # brings torch and ONNX, which a table on screen does without

    return Int8Report.from_json(data)
