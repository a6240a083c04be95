"""The generators of a study as files for a browser: the dense teacher and some trials, each compared with PyTorch."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import lcm
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from ...gan_models.export.catalog import EXPORTERS, WEB_FLOAT, WEB_INT8
from ...gan_models.files.errors import UserError
from ...gan_models.networks.specs import InputSpec, OutputSpec
from ...gan_models.networks.value_ranges import with_own_ranges
from ...gan_models.quantization.settings import Quantization
from ...search.artifacts.study_folder import StudyFolder
from ...search.pictures.kept_pictures import kept_beside
from ...spaces.budget import describe
from ..bundles.export import NotExportable, exportable
from ..bundles.format_files import FileGenerator, WantedFormats, write_formats
from ..bundles.trial_weights import open_recorded, trial_generator, trial_quantizations
from ..database.reader import StudyRecord
from ..inference.sizes import find_size_rule
from ..results.outcome import outcome_of
from ..results.tables import Row, teacher_row, trial_rows
from .page_data import WebGenerator, WebInput, WebNetwork, WebSizes

INPUT = "input"  # label of the pictures that a generator was given
COLORS = ("gray", "rgb")  # of pictures that a browser has


@dataclass(frozen=True)
class WebFiles:
    """Networks of a page, and their files by name."""

    networks: tuple[WebNetwork, ...]
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class _Whole:
    """A trial's network, or the teacher's, with all its generators."""

    label: str
    row: Row
    model: nn.Module
    quantizations: Mapping[str, Quantization]


def web_files_of(study: StudyRecord, artifacts_root: Path, trials: Sequence[int] = ()) -> WebFiles:
    """Return the dense generator and those of trials as files, each compared with the network in PyTorch.

    Args:
        study: The study's record.
        artifacts_root: Folder of all studies' artifacts.
        trials: Their numbers; the best of the front if there are none.

    Raises:
        NotExportable: A trial has no generator, or there is no front yet.
        UserError: The generator takes or gives what a page cannot show.
        ArtifactError: Files are missing or differ from the record.
        RuntimeError: The outputs of a file differ from the generator's.
    """
    outcome = outcome_of(study)
    if not trials and not outcome.front:
        raise NotExportable(f"study {study.name} has no front yet: no trial is complete inside the budget")
    shown = [exportable(study, number) for number in dict.fromkeys(trials)] or [outcome.front[-1]]
    inputs, folder = outcome.config.own_inputs, StudyFolder(artifacts_root, study.name)
    _check_inputs(inputs)
    bench = open_recorded(outcome, folder, "cpu")
    full, groups, output = bench.full_network(), bench.groups, bench.output
    if output.color not in COLORS:
        raise UserError(f"a page shows pictures in RGB or gray: got outputs of {output.color or output.shape}")
    rows = {row.trial: row for row in trial_rows(outcome)}
    wholes = [_Whole("dense teacher", teacher_row(outcome), bench.joined(bench.generators), {})]
    for trial in shown:
        model, _ = trial_generator(outcome.config, folder, trial, full, groups)
        quantizations = trial_quantizations(folder, trial)
        wholes.append(_Whole(f"trial {trial.number}: {trial.new.method}", rows[trial.number], model, quantizations))
    files: dict[str, bytes] = {}
    networks = []
    for name in bench.names:
        made, runs_at = list[WebGenerator](), list[WebSizes]()
        for place, whole in enumerate(wholes):
            part = whole.model if len(bench.names) == 1 else whole.model.get_submodule(name)
            content, sizes = _file(part, inputs, output, whole.quantizations.get(name))
            files[file := f"{name}-{place}"] = content
            runs_at += [] if sizes is None else [sizes]
            made.append(WebGenerator(file, whole.label, _quality(whole.row), _costs(whole.row), len(content)))
        bounds, sizes = output.value_range, common_sizes(runs_at)
        networks.append(
            WebNetwork(name, _inputs(inputs), *bounds, sizes, tuple(made), _examples(folder, name) if sizes else ())
        )
    return WebFiles(tuple(networks), files)


def common_sizes(found: Sequence[WebSizes]) -> WebSizes | None:
    """Return the sizes that all files of a network run at: files of 8 bits have one size alone. None without any."""
    if not found:
        return None
    fixed = next((sizes for sizes in found if not sizes.stride), None)
    least = max(sizes.least for sizes in found)
    return fixed or replace(found[0], stride=lcm(*(sizes.stride for sizes in found)), least=least)


def _check_inputs(inputs: InputSpec) -> None:
    """Raise UserError for inputs that a visitor of a page cannot give."""
    pictures = [one for one in inputs.inputs if one.kind == "image" and one.color in COLORS]
    others = [one for one in inputs.inputs if one.drawn or (one.kind == "label" and not one.is_map)]
    if len(pictures) > 1 or len(pictures) + len(others) < len(inputs.inputs):
        raise UserError(
            f"a page takes one picture in RGB or gray, latents and classes: got a generator of {inputs}. Try "
            "`ganprune export` and `ganprune run`"
        )


def _inputs(inputs: InputSpec) -> tuple[WebInput, ...]:
    return tuple(
        WebInput(one.name, one.kind, tuple(one.shape), *(one.value_range or (0.0, 0.0)), one.classes)
        for one in inputs.inputs
    )


def _file(
    model: nn.Module, inputs: InputSpec, output: OutputSpec, quantization: Quantization | None
) -> tuple[bytes, WebSizes | None]:
    """Return a generator as a file, and the sizes of pictures that it runs at."""
    with_own_ranges(model)
    name = WEB_FLOAT if quantization is None else WEB_INT8
    exporter = EXPORTERS.find(name)
    with TemporaryDirectory() as made:
        wanted = WantedFormats((name,), quantization=quantization)
        write_formats(Path(made), model.cpu().eval(), inputs, wanted, gives=output)
        path = Path(made) / exporter.filename
        if inputs.pixels is None:
            return path.read_bytes(), None
        rule = find_size_rule(FileGenerator(exporter, path), inputs)
        scale = (rule.scale.numerator, rule.scale.denominator)
        return path.read_bytes(), WebSizes(
            *rule.trained, rule.stride, rule.least, scale, rule.reason.replace(str(path), path.name)
        )


def _quality(row: Row) -> str:
    return "" if row.quality is None else f"{row.metric} {row.quality:.4g} on the {row.split} split"


def _costs(row: Row) -> dict[str, str]:
    costs = {name: row.counted[name] for name in ("macs",) if name in row.counted}
    costs |= {} if row.params is None else {"params": row.params}
    return {name: describe(value, name) for name, value in costs.items()}


def _examples(folder: StudyFolder, name: str) -> tuple[tuple[str, int], ...]:
    """Return strips of the test inputs that trainings kept."""
    beside, strips = kept_beside(folder.teacher)
    return tuple(
        (f"data:image/webp;base64,{base64.b64encode(content).decode()}", beside[name].rows)
        for (network, place), content in strips.items()
        if network == name and beside[name].labels[place] == INPUT
    )
