"""The commands that look at a study, and those that work on exported generators. Imports no torch by itself."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...gan_models.export.catalog import EXPORTERS, INT8, check_formats
from ...gan_models.export.file_options import DEFAULT_OPSET, FileOptions
from ...gan_models.files.errors import UserError
from ...gan_models.files.plain_values import to_json
from ...gan_models.files.texts.number_text import counted
from . import options as opt
from .console import wide_console
from .help.completion import trial_references

if TYPE_CHECKING:
    from rich.console import Console

    from ..bundles.card import Card
    from ..database.reader import StudyRecord

Bundle = Annotated[
    Path,
    typer.Argument(
        help="Folder that `ganprune export` wrote, or one of the Hugging Face Hub: hf:USER/NAME@REVISION.",
        metavar="BUNDLE",
    ),
]
StudyOrTrial = Annotated[
    str,
    typer.Argument(
        help="Name of the study, or one of its trials as STUDY:NUMBER.",
        metavar="STUDY[:TRIAL]",
        autocompletion=trial_references,
    ),
]
Code = Annotated[
    bool | None,
    typer.Option(
        "--code/--no-code",
        help="Let a bundle run code of its own, or refuse one that contains any. [default: --no-code for a bundle of "
        "the Hub, else --code]",
        show_default=False,
    ),
]


def print_front(study: StudyRecord, console: Console, as_json: bool) -> None:
    """Print the front as a table with its hypervolume, or as JSON on standard output."""
    from ...search.strategy.early_stopping import agreements
    from ...search.strategy.score_agreement import score_agreement
    from ..results.metric_directions import directions, metric_notes
    from ..results.outcome import outcome_of
    from ..results.selection_gap import gap_json
    from ..results.tables import front_rows, remarks, rich_table, rows_json

    outcome = outcome_of(study)
    rows = front_rows(outcome)
    if as_json:
        volume = outcome.hypervolume()
        found = {"study": study.name, "front": rows_json(rows), "hypervolume": volume.to_json() if volume else None}
        found["rank_correlation"] = [asdict(rung) for rung in agreements(study.trials)]
        if (scores := score_agreement(study.trials)) is not None:
            found["zero_shot_agreement"] = asdict(scores)
        found["selected_on"] = outcome.split
        found |= {"better": directions(rows, outcome), "metric_notes": metric_notes(rows)}
        if (gap := gap_json(outcome)) is not None:
            found["selection_gap"] = gap
        if outcome.note:
            found["simulated"] = outcome.note
        print(json.dumps(found, indent=1, allow_nan=False))
        return
    console.print(rich_table(rows, outcome, f"front of {study.name}", console.width))
    for line in remarks(outcome):
        console.print(line, highlight=False)


def show(
    name: StudyOrTrial,
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    artifacts: opt.Artifacts = None,
    as_json: opt.Json = False,
) -> None:
    """Show all trials of a study, or everything of one trial."""
    from ..api import Study
    from ..results.metric_directions import directions, metric_notes
    from ..results.outcome import outcome_of
    from ..results.tables import remarks, rich_table, rows_json, trial_rows
    from ..results.trial_page import find_trial, page_lines, trial_page, trial_reference

    name, number = trial_reference(name)
    outcome = outcome_of(Study.open(name, storage, artifacts).record)
    if number is not None:
        trial = find_trial(outcome, number)
        if as_json:
            print(json.dumps(to_json(trial_page(outcome, trial)), indent=1, allow_nan=False))
        else:
            print("\n".join(page_lines(outcome, trial)))
        return
    rows = trial_rows(outcome)
    if as_json:
        simulated = {"simulated": outcome.note} if outcome.note else {}
        said = {"better": directions(rows, outcome), "metric_notes": metric_notes(rows)} | simulated
        print(json.dumps({"study": name, "trials": rows_json(rows)} | said, indent=1, allow_nan=False))
    else:
        console = wide_console()
        console.print(rich_table(rows, outcome, f"trials of {name}", console.width))
        for line in remarks(outcome):
            console.print(line, highlight=False)


def pareto(
    name: opt.Name,
    csv: Annotated[Path | None, typer.Option(help="CSV file of the front. [default: none]")] = None,
    plot: Annotated[Path | None, typer.Option(help="PNG file of quality against cost. [default: none]")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="PNG file of inputs, targets, teacher and front. [default: none]")
    ] = None,
    at: Annotated[
        str,
        typer.Option(
            help="Cost at which plans between the trials are scored, without training: 18%, 2GMACs. "
            "[default: none is scored]"
        ),
    ] = "",
    evaluations: Annotated[int | None, typer.Option(help="Number of plans that --at scores. [default: 8]")] = None,
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    artifacts: opt.Artifacts = None,
    as_json: opt.Json = False,
) -> None:
    """Show the Pareto front of quality against cost, as table, CSV and pictures."""
    from ...gan_models.files.atomic_files import write_file
    from ..api import Study
    from ..results.outcome import outcome_of
    from ..results.tables import csv_text, front_rows

    opt.check_png("--plot", plot)
    opt.check_png("--pictures", pictures)
    if evaluations is not None and not at:
        raise UserError("--evaluations is for --at COST; the front itself scores no plans")
    study = Study.open(name, storage, artifacts)
    if at:
        written = [option for option, path in (("--csv", csv), ("--plot", plot), ("--pictures", pictures)) if path]
        if written:
            raise UserError(
                f"{written[0]} writes the front: got --at {at} too, which shows proposals; give one of them"
            )
        from .plans.proposals import shown_proposals

        shown_proposals(study, at, evaluations, as_json, wide_console(stderr=as_json))
        return
    outcome = outcome_of(study.record)
    print_front(study.record, wide_console(), as_json)
    if csv:
        write_file(csv, csv_text(front_rows(outcome)).encode())
    if plot:
        from ..results.plots import write_plot

        write_plot(outcome, plot)
    if pictures:
        from ..report.image_grid import write_pictures

        write_pictures(study.record, study.at_hand(), pictures)


def report(
    name: opt.Name,
    out: Annotated[
        Path | None, typer.Option(help="File to write. [default: report.html, or try.html with --try]")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Serve the page on this machine, refreshed while a search runs.")
    ] = False,
    port: Annotated[int | None, typer.Option(help="With --live; 0: any that is free. [default: 8765]")] = None,
    try_it: Annotated[
        bool,
        typer.Option(
            "--try", help="Write a page that runs the dense and pruned generators in a browser, on any picture."
        ),
    ] = False,
    trial: Annotated[
        list[int] | None,
        typer.Option(help="With --try: trial on the page; repeatable. [default: the best of the front]"),
    ] = None,
    web_runtime: Annotated[
        Path | None,
        typer.Option(
            help="With --try: package (.tgz) or folder of onnxruntime-web, to be put into the page. [default: the page "
            "loads it from a CDN]"
        ),
    ] = None,
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    artifacts: opt.Artifacts = None,
) -> None:
    """Write one self-contained HTML page on a study."""
    from ..api import Study
    from ..database.storage import parse_url, shown
    from ..report.html import write_report

    if port is not None and not live:
        raise UserError(f"--port is for --live, which serves the page: got --port {port} alone. Try adding --live")
    if not try_it and (trial or web_runtime is not None):
        given = "--trial" if trial else "--web-runtime"
        raise UserError(f"{given} is for --try, which runs generators: got {given} alone. Try adding --try")
    if live and (try_it or out is not None):
        raise UserError(f"--live writes no file: got {'--try' if try_it else '--out'} too; expected one of them")
    study = Study.open(name, storage, artifacts)
    if try_it:
        from ..in_browser.web_page import write_web_page

        print(write_web_page(study.record, study.at_hand(), out or Path("try.html"), trial or (), web_runtime))
        return
    said = "" if parse_url(storage) == parse_url(opt.DEFAULT_STORAGE) else shown(storage)
    if not live:
        print(write_report(study.record, study.at_hand(), out or Path("report.html"), storage=said))
        return
    from ..report.live import PORT, LivePage, serve

    def ready(address: str) -> None:
        print(f"{address} shows study {name} as it stands; Ctrl-C ends it", flush=True)

    page = LivePage(lambda: Study.open(name, storage, artifacts).record, study.at_hand(), said)
    serve(page, PORT if port is None else port, ready)
    print("the page is no longer served; the study is as it was")


def export(
    name: opt.Name,
    out: opt.Out = Path("bundle"),
    trial: Annotated[int | None, typer.Option(help="Number of the trial to export. [default: none]")] = None,
    best_under: Annotated[
        str | None, typer.Option(help="Export the best trial at or under a cost: 15%, 2GMACs. [default: none]")
    ] = None,
    front: Annotated[
        bool, typer.Option("--front", help="Export each trial of the front, into a folder of its own.")
    ] = False,
    int8: Annotated[
        bool, typer.Option("--int8", help=f"Also write {INT8}; a trial trained in 32 bits is calibrated on its data.")
    ] = False,
    formats: Annotated[
        str,
        typer.Option(help=f"Files for other runtimes: {','.join(EXPORTERS.own)}. [default: by the trial's bits]"),
    ] = "",
    input_size: Annotated[
        str,
        typer.Option(
            help="Image size of files that run at one size alone: 256 or HEIGHTxWIDTH. [default: the trained size]"
        ),
    ] = "",
    opset: Annotated[
        int, typer.Option(help=f"Operator set of ONNX files; 0: {DEFAULT_OPSET}, or the next one that is enough.")
    ] = 0,
    largest_drop: Annotated[
        str,
        typer.Option(
            help="Largest loss of quality by files not in float32: 5%, or none; worse ones are left out. [default: 10%]"
        ),
    ] = "",
    license: Annotated[
        str,
        typer.Option(
            help="License of the generator, for the files' metadata and the card: apache-2.0. [default: none]"
        ),
    ] = "",
    benchmark: Annotated[
        bool,
        typer.Option(
            "--benchmark", help="Measure latency for the card: runtimes and data types, dense against pruned."
        ),
    ] = False,
    uint8: Annotated[
        bool,
        typer.Option(
            "--uint8", help="Files take and give pictures as bytes (N, H, W, C): onnx, pt2, litert and openvino do."
        ),
    ] = False,
    weights: Annotated[
        str,
        typer.Option(
            help="Weights of this trial's network that were trained further elsewhere; they are measured again. "
            "[default: the trial's]"
        ),
    ] = "",
    plan: Annotated[
        str | None, typer.Option(help="Plan to export that was only scored, P3; needs --untrained. [default: none]")
    ] = None,
    untrained: Annotated[
        bool,
        typer.Option("--untrained", help="Confirm that the network of --plan is not trained; the card says so, too."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing bundle.")] = False,
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    artifacts: opt.Artifacts = None,
    as_json: opt.Json = False,
) -> None:
    """Write generators as bundles: weights, files for other runtimes, card, checks."""
    from ..api import Study

    if (trial is not None) + (best_under is not None) + front + (plan is not None) != 1:
        raise UserError("say what to export, one of: --trial N, --best-under 15%, --front, --plan P3 --untrained")
    if untrained and plan is None:
        raise UserError("--untrained is for a plan: got a trial, which is trained; expected --plan P3, too")
    if plan is not None and weights:
        raise UserError(f"--weights are those of one trial: got --plan {plan}; expected one trial. Try --trial N")
    if front and weights:
        raise UserError("--weights are those of one trial: got --front; expected one trial. Try --trial N")
    named = check_formats([part.strip() for part in formats.split(",") if part.strip()]) if formats else None
    options = replace(FileOptions.read(input_size, opset, largest_drop, license, uint8), benchmark=benchmark)
    study = Study.open(name, storage, artifacts)
    if plan is not None:
        cards: dict[int | str, Card] = {plan: study.export_plan(plan, out, untrained, overwrite, int8, named, options)}
    elif front:
        cards = {**study.export_front(out, overwrite, int8, named, options)}
    else:
        number = trial if trial is not None else study.best_under(best_under or "").number
        cards = {number: study.export(number, out, overwrite, int8, named, weights, options)}
    refused = dict.fromkeys(format for card in cards.values() for format in card.refused)
    if as_json:
        print(json.dumps({str(number): to_json(card) for number, card in cards.items()}, indent=1))
        _end_refused(list(refused))
        return
    for number, card in cards.items():
        folder = out / f"trial-{number}" if front else out
        which = f"trial {number}" if plan is None else f"plan {number}, untrained,"
        print(f"{which} -> {folder} (largest difference after reloading: {card.parity.reload:.2g})")
        for report in card.formats.values():
            print(f"  {report.line()}")
            for line in [*filter(None, [report.summary]), *report.lines(card.formats)]:
                print(f"    {line}")
        for line in card.latencies.lines() if card.latencies else ():
            print(f"  {line}")
    _end_refused(list(refused))


def _end_refused(formats: list[str]) -> None:
    """End with exit code 1 and one line if formats were refused; the bundle has all others, and its card the reasons.

    Raises:
        typer.Exit: There is one.
    """
    if formats:
        print(
            f"error: not written: {', '.join(formats)}; the card has the reasons, and the rest is there",
            file=sys.stderr,
        )
        raise typer.Exit(1)


def verify(
    bundle: Bundle,
    input: Annotated[
        Path | None,
        typer.Option(help="Image or folder whose first images files are compared on, too. [default: none]"),
    ] = None,
    code: Code = None,
    as_json: opt.Json = False,
) -> None:
    """Check a bundle again: hashes, reload, costs, and each file against PyTorch."""
    from ..bundles.verify import verify_bundle
    from ..integrations.hub.repository import local_bundle

    checks = verify_bundle(local_bundle(bundle), catalog_only=_no_code(bundle, code), input_dir=input)
    if as_json:
        print(json.dumps(to_json(checks), indent=1))
    else:
        for check in checks:
            print(f"{check.mark} {check.name}: {check.detail}")
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


def _no_code(bundle: Path, code: bool | None) -> bool:
    """Return True if a bundle must not run code of its own: one of the Hub, unless the user allows it."""
    from ..integrations.hub.repository import from_hub

    return from_hub(bundle) if code is None else not code


def run(
    bundle: Bundle,
    out: opt.Out = Path("out"),
    input: Annotated[
        Path | None,
        typer.Option(help="Image, or folder of images at any depth. [default: none, for a generator of latents]"),
    ] = None,
    half: Annotated[
        str, typer.Option(help="Half of aligned pairs A|B that is the input: A or B. [default: the whole image]")
    ] = "",
    samples: Annotated[int, typer.Option(help="Number of images to draw, of a generator of latents.")] = 16,
    seed: Annotated[int, typer.Option(help="Seed of the latents.")] = 0,
    label: Annotated[
        int | None, typer.Option(help="Class of all images, of a generator of classes. [default: each in turn]")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images per call of the generator.")] = 8,
    device: Annotated[str, typer.Option(help="Device of PyTorch: auto, cpu or cuda.")] = "auto",
    format: Annotated[
        str, typer.Option(help="Run the bundle's file of this format, such as onnx. [default: PyTorch]")
    ] = "",
    int8: Annotated[bool, typer.Option("--int8", help=f"The same as --format {INT8}.")] = False,
    fit: Annotated[
        str,
        typer.Option(
            help="Way to bring images to the trained size: crop, pad, stretch, or tile for tiles of that size. "
            "[default: each image runs at its own size if possible]"
        ),
    ] = "",
    tile: Annotated[
        int, typer.Option(help="Pixels per side of tiles for large images; 0: tiles only if memory is short.")
    ] = 0,
    benchmark: Annotated[
        bool,
        typer.Option(
            "--benchmark", help="Time it and the dense network in the runtimes of its files and all data types."
        ),
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of --benchmark. [default: all CPUs]")] = None,
    code: Code = None,
) -> None:
    """Translate images with an exported generator, or draw samples."""
    from ..bundles.inference import benchmark_bundle, run_bundle
    from ..integrations.hub.repository import local_bundle

    if benchmark:
        table = benchmark_bundle(
            local_bundle(bundle), threads, _no_code(bundle, code), on_step=lambda what: print(what, file=sys.stderr)
        )
        print("\n".join(table.lines()))
        return
    if threads is not None:
        raise UserError(f"--threads is for --benchmark: got --threads {threads} alone. Try adding --benchmark")
    fits: dict[str, Literal["", "crop", "pad", "stretch", "tile"]] = {
        "": "", "crop": "crop", "pad": "pad", "stretch": "stretch", "tile": "tile"
    }  # fmt: skip
    if fit not in fits:
        raise UserError(f"--fit is unknown: got {fit!r}; expected crop, pad, stretch or tile")
    halves: dict[str, Literal["", "A", "B"]] = {"": "", "A": "A", "B": "B"}
    if half not in halves:
        raise UserError(f"--half {half!r} is unknown; use A or B, or leave it out")
    if int8 and format not in ("", INT8):
        raise UserError(f"--int8 is --format {INT8}: got --format {format} too; give one of them")
    chosen = INT8 if int8 else format
    untrusted = _no_code(bundle, code)
    done = run_bundle(
        local_bundle(bundle), input, out, batch_size, device, halves[half], samples, seed, untrusted, chosen,
        fits[fit], tile, label,
    )  # fmt: skip
    for note in done.notes:
        print(f"note: {note}", file=sys.stderr)
    for line in done.skipped:
        print(f"skipped {line}", file=sys.stderr)
    print(
        f"{counted(len(done.written), 'image')} in {done.folder}"
        + (f", {len(done.skipped)} skipped" if done.skipped else "")
    )
