"""The commands that measure images: `fid` and `compare`. Imports no torch by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options as opt
from .console import wide_console

if TYPE_CHECKING:
    from ..comparison.fid import QualityOptions

Metric = Annotated[
    str, typer.Option(help="inception (FID), shapes (bundled encoder), or auto: Inception where its weights are.")
]
Weights = Annotated[str, typer.Option(help="Path of pytorch-fid's Inception weights.")]
Data = Annotated[str, typer.Option(help="What bundles are fed: builtin:shapes, or a folder in their task's layout.")]
Protocol = Annotated[
    str, typer.Option(help="Real images of --data: test-vs-test, test-vs-train+test or test-vs-train.")
]
Direction = Annotated[str, typer.Option(help="AtoB or BtoA, for pairs; default: as in the bundle's study.")]
Network = Annotated[str, typer.Option(help="Of a study that prunes both directions: AtoB or BtoA.")]
Count = Annotated[int, typer.Option(help="Most test images; 0 for all.")]
Workers = Annotated[int, typer.Option(help="Processes that read images ahead.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
NoCode = Annotated[bool, typer.Option("--no-code", help="Refuse a bundle whose generator is not in the catalog.")]


def fid(
    a: Annotated[str, typer.Argument(help="Folder of images, .npz, bundle, or STUDY:TRIAL.")],
    b: Annotated[str, typer.Argument(help="Real side: folder, .npz, or for a bundle its data.")] = "",
    metric: Metric = "auto",
    inception_weights: Weights = "",
    data: Data = "",
    protocol: Protocol = "",
    direction: Direction = "",
    network: Network = "",
    n_eval: Count = 0,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Add the distance extrapolated to infinitely many images.")
    ] = False,
    kid_subset: Annotated[
        int, typer.Option(help="Add the kernel distance over 100 subsets of this size, as papers print it; 0: off.")
    ] = 0,
    save: Annotated[Path | None, typer.Option(help="Write the real side's statistics, as pytorch-fid's .npz.")] = None,
    workers: Workers = 0,
    device: Device = "auto",
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    artifacts: opt.Artifacts = None,
    no_code: NoCode = False,
    as_json: opt.Json = False,
) -> None:
    """Measure how far images are from real ones: distance, interval, n, protocol, and what stands beside it."""
    from ..comparison.fid import measure_fid
    from ..results.measurement_text import with_interval

    options = _options(
        metric, inception_weights, data, protocol, direction, network, n_eval, workers, device, storage,
        artifacts, no_code,
    )  # fmt: skip
    options = replace(options, extrapolate=extrapolate, kid_subset=kid_subset)
    found = measure_fid(a, b, options, save)
    if as_json:
        print(json.dumps(found.to_json(), indent=1, allow_nan=False))
        return
    console = wide_console()
    width = max(len(m.name) for m in found.measurements)
    for m in found.measurements:
        unit = "" if m.unit == "1" else f" {m.unit}"
        console.print(f"{m.name:<{width}}  {with_interval(m)}{unit}", highlight=False, markup=False)
    counts = ["unknown" if n is None else str(n) for n in (found.n_generated, found.n_real)]
    console.print(f"n: {counts[0]} of A, {counts[1]} real; intervals are 90 %", highlight=False)
    console.print(f"protocol: {found.measurements[0].protocol}", highlight=False, markup=False)
    if save is not None:
        console.print(f"statistics of the real side: {save}", highlight=False)


def compare(
    a: Annotated[str, typer.Argument(help="Folder of images, bundle, STUDY:TRIAL or STUDY:teacher.")],
    b: Annotated[str, typer.Argument(help="The same.")],
    real: Annotated[str, typer.Option(help="Folder or .npz of real images; default: those of the data.")] = "",
    level: Annotated[float, typer.Option(help="p-value below which one is called better.")] = 0.05,
    metric: Metric = "auto",
    inception_weights: Weights = "",
    data: Data = "",
    protocol: Protocol = "",
    direction: Direction = "",
    network: Network = "",
    n_eval: Count = 0,
    workers: Workers = 0,
    device: Device = "auto",
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    artifacts: opt.Artifacts = None,
    no_code: NoCode = False,
    as_json: opt.Json = False,
) -> None:
    """Say which of two generators is nearer to the real images: A better, B better, or cannot tell."""
    from ..comparison.compare import compare_two

    options = _options(
        metric, inception_weights, data, protocol, direction, network, n_eval, workers, device, storage,
        artifacts, no_code,
    )  # fmt: skip
    found = compare_two(a, b, options, real, level)
    if as_json:
        print(json.dumps(found.to_json(), indent=1, allow_nan=False))
        return
    difference, console = found.comparison.difference, wide_console()
    how = "same inputs" if found.matched else "independent images"
    for line in (
        found.comparison.verdict,
        f"A {found.a}: {found.metric} {found.distance_a:.4g}",
        f"B {found.b}: {found.metric} {found.distance_b:.4g}",
        f"A - B: {difference.value:.4g} [{difference.low:.4g}, {difference.high:.4g}] (90 %), {how}",
        f"protocol: {found.protocol}",
    ):
        console.print(line, highlight=False, markup=False)


def _options(
    metric: str,
    inception_weights: str,
    data: str,
    protocol: str,
    direction: str,
    network: str,
    n_eval: int,
    workers: int,
    device: str,
    storage: str,
    artifacts: str | None,
    no_code: bool,
) -> QualityOptions:
    from ..comparison.fid import QualityOptions

    return QualityOptions(
        metric=metric,
        inception_weights=inception_weights,
        data=data,
        protocol=protocol,
        direction=direction,
        network=network,
        n_eval=n_eval,
        workers=workers,
        device=device,
        storage=storage,
        artifacts=str(artifacts) if artifacts else None,
        catalog_only=no_code,
    )
