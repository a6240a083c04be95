"""The commands that measure images: `fid` and `compare`. Imports no torch by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ....gan_models.files.errors import UserError
from ....gan_models.files.plain_values import from_json
from ....search.configuration.flags import flags_of, read_flags
from ...comparison.measure_options import CompareOptions, FidOptions
from .. import options as opt
from ..console import wide_console

FID_FLAGS = tuple(flags_of("measure", FidOptions))
COMPARE_FLAGS = tuple(flags_of("measure", CompareOptions))
ROWS = 4  # inputs that `compare --plot` shows


@opt.with_flags(FID_FLAGS)
def fid(
    given: Mapping[str, Any],
    a: Annotated[str, typer.Argument(help="Generated images: a folder, .npz, bundle, or STUDY:TRIAL.", metavar="A")],
    b: Annotated[
        str,
        typer.Argument(
            help="Real images: a folder or .npz; for a bundle the data that it takes. "
            "[default: those of the trial's study]",
            metavar="B",
        ),
    ] = "",
    as_json: opt.Json = False,
) -> None:
    """Measure the distance of images to real ones, with interval and protocol."""
    from ...comparison.fid import measure_fid
    from ...results.measurement_text import with_interval

    options = from_json(FidOptions, read_flags(FID_FLAGS, given))
    found = measure_fid(a, b, options)
    if as_json:
        print(json.dumps(found.to_json(), indent=1, allow_nan=False))
        return
    console = wide_console()
    width = max(len(m.name) for m in found.measurements)
    for m in found.measurements:
        unit = "" if m.unit == "1" else f" {m.unit}"
        better = f", {m.better} is better" if m.better else ""
        note = f" ({m.note})" if m.note else ""
        console.print(f"{m.name:<{width}}  {with_interval(m)}{unit}{better}{note}", highlight=False, markup=False)
    counts = ["unknown" if n is None else str(n) for n in (found.n_generated, found.n_real)]
    console.print(f"n: {counts[0]} of A, {counts[1]} real; intervals are 90 %", highlight=False)
    console.print(f"protocol: {found.measurements[0].protocol}", highlight=False, markup=False)
    if options.save:
        console.print(f"statistics of the real side: {options.save}", highlight=False)


@opt.with_flags(COMPARE_FLAGS)
def compare(
    given: Mapping[str, Any],
    a: Annotated[str, typer.Argument(help="A folder of images, bundle, STUDY:TRIAL or STUDY:teacher.", metavar="A")],
    b: Annotated[str, typer.Argument(help="A second one, as A.", metavar="B")],
    plot: Annotated[
        Path | None, typer.Option(help="PNG file of pictures of both and maps of their differences. [default: none]")
    ] = None,
    rows: Annotated[int | None, typer.Option(min=1, max=64, help="Inputs that --plot shows. [default: 4]")] = None,
    as_json: opt.Json = False,
) -> None:
    """Compare two generators: A better, B better, or cannot tell."""
    from ...comparison.compare import compare_two
    from ...comparison.picture_pairs import draw_pairs
    from ...results.measurement_text import with_interval

    if rows is not None and plot is None:
        raise UserError(f"--rows is for --plot: got --rows {rows} alone; expected a file. Try --plot differences.png")
    opt.check_png("--plot", plot)
    options = from_json(CompareOptions, read_flags(COMPARE_FLAGS, given))
    found = compare_two(a, b, options, 0 if plot is None else rows or ROWS)
    if plot is not None:
        draw_pairs(found.pairs, found.a, found.b, plot)
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
    if plot is not None:
        console.print(f"picture: {plot}", highlight=False, markup=False, soft_wrap=True)
    for name, measurements in (("A", found.measurements_a), ("B", found.measurements_b)):
        for m in measurements:
            better, note = f", {m.better} is better" * bool(m.better), f" ({m.note})" * bool(m.note)
            console.print(f"{name} {m.name}: {with_interval(m)}{better}{note}", highlight=False, markup=False)
