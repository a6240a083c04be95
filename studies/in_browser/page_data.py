"""The data of the page that runs generators: frozen values, which the page's script reads as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .web_runtime import WebFile


@dataclass(frozen=True)
class WebInput:
    """An input of a generator.

    Attributes:
        name: In the file.
        kind: `image`, `latent` or `label`.
        shape: Of one example.
        low, high: Values of black and white; 0 for other kinds.
        classes: Of a label.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    low: float
    high: float
    classes: int


@dataclass(frozen=True)
class WebSizes:
    """The sizes of pictures that a generator's file runs at.

    Attributes:
        height, width: Of the pictures that it was trained with.
        stride: Sides are multiples of it; 0: that size alone.
        least: The smallest side.
        scale: Numerator and denominator of the output's pixels per input pixel.
        reason: Of a fixed size: what happens at another one.
    """

    height: int
    width: int
    stride: int
    least: int
    scale: tuple[int, int]
    reason: str


@dataclass(frozen=True)
class WebGenerator:
    """A generator's file in the page.

    Attributes:
        file: Name of the file.
        label: The dense teacher, or a trial.
        quality: Text of its quality; empty if it was not measured.
        costs: Name and text of its costs.
        bytes: Of the file.
    """

    file: str
    label: str
    quality: str
    costs: Mapping[str, str]
    bytes: int


@dataclass(frozen=True)
class WebNetwork:
    """Generators of the same inputs, the dense one first.

    Attributes:
        name: The generator's name in the study.
        inputs: What they take.
        low, high: Values of black and white of the output.
        sizes: Sizes of pictures; None without an image among the inputs.
        generators: Of the teacher and of trials.
        examples: Test inputs as `data:` addresses of strips, each with the number of pictures below each other.
    """

    name: str
    inputs: tuple[WebInput, ...]
    low: float
    high: float
    sizes: WebSizes | None
    generators: tuple[WebGenerator, ...]
    examples: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class WebPage:
    """All that the page's script is given.

    Attributes:
        study: The study's name.
        version: Of the runtime.
        runtime: Its files, the module first.
        networks: At least one.
    """

    study: str
    version: str
    runtime: tuple[WebFile, ...]
    networks: tuple[WebNetwork, ...]
