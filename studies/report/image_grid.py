"""A grid of pictures: what the teacher and the pruned generators make of the same inputs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from ...gan_models.data.dataset import in_order
from ...gan_models.files.atomic_files import write_file
from ...gan_models.files.pictures.colors import color_of
from ...gan_models.networks.colors import to_rgb
from ...gan_models.quantization.fake_quant import FixedRanges, add_hooks
from ...search.artifacts.study_folder import StudyFolder
from ...search.preparations.eval_images import EVAL_BATCH
from ...search.preparations.opened_study import OpenedStudy
from ...search.records.ledger import TrialRecord
from ...spaces.budget import describe
from ..bundles.export import exportable
from ..bundles.format_files import outputs_of
from ..bundles.trial_weights import open_recorded, trial_generator, trial_quantizations
from ..database.reader import StudyRecord
from ..inference.output_pictures import to_picture
from ..results.outcome import Outcome, outcome_of

TILE, GAP, HEADING = 144, 6, 44  # pixels: a picture at least, between pictures, above each column
MOST_TRIALS, MOST_CLASSES = 4, 12


@dataclass(frozen=True)
class Column:
    """One column of a grid: its label and its pictures."""

    label: str
    images: tuple[Tensor, ...]


def picture_grid(
    study: StudyRecord,
    artifacts_root: str | Path,
    trials: Sequence[int] | None = None,
    rows: int = 4,
    device: str = "auto",
) -> bytes:
    """Return a PNG with a row per input, and columns for input, target, teacher and trials.

    Of a generator that takes a class, rows are the classes, drawn from the same latents.

    Args:
        study: The study's record.
        artifacts_root: Folder of all studies' artifacts.
        trials: Trial numbers; None takes up to four of the front, spread from the dearest to the cheapest.
        rows: Test images (or latents) shown, spread over the test set; of a generator of classes, classes count.
        device: Where the generators run.

    Raises:
        NotExportable: A trial that has no generator to show, or a study without any.
        ArtifactError, ValueError: Weights or data are not there.
    """
    outcome = outcome_of(study)
    shown = _spread(outcome.front[::-1], MOST_TRIALS) if trials is None else [exportable(study, n) for n in trials]
    folder = StudyFolder(Path(artifacts_root), study.name)
    bench = open_recorded(outcome, folder, device)
    full, groups = bench.full_network(), bench.groups
    models = [bench.joined(bench.generators)]
    for trial in shown:
        model, _ = trial_generator(outcome.config, folder, trial, full, groups)
        for name, quantized in trial_quantizations(folder, trial).items():
            part = model if len(bench.names) == 1 else model.get_submodule(name)
            add_hooks(part, quantized.settings, FixedRanges(quantized.ranges))
        models.append(model)
    labels = [_teacher_label(outcome), *(_label(outcome, trial) for trial in shown)]
    grid: list[Column] = []
    titles: Sequence[str] = ()
    for name in bench.names:
        inputs, columns, titles = shown_inputs(bench, name, rows)
        for label, model in zip(labels, models, strict=True):
            part = model if len(bench.names) == 1 else model.get_submodule(name)
            columns.append(Column(label, shown_outputs(bench, part, inputs)))
        grid += columns
    return draw_grid(grid, titles)


def write_pictures(
    study: StudyRecord,
    artifacts_root: str | Path,
    path: str | Path,
    trials: Sequence[int] | None = None,
    rows: int = 4,
    device: str = "auto",
) -> Path:
    """`picture_grid` as a file; its folder is made."""
    content = picture_grid(study, artifacts_root, trials, rows, device)
    return write_file(path, content)


def draw_grid(columns: Sequence[Column], titles: Sequence[str] = ()) -> bytes:
    """Return labeled columns of pictures as PNG; small pictures are enlarged by whole factors.

    Args:
        columns: At least one.
        titles: Of the rows, at their left; none are shown without them.

    Raises:
        ValueError: No column, or columns of different lengths.
    """
    if not columns or len({len(column.images) for column in columns}) != 1 or not columns[0].images:
        raise ValueError("a grid needs columns of equally many pictures, at least one")
    sizes = [column.images[0].shape[-2:] for column in columns]
    height, width = (max(sides) for sides in zip(*sizes, strict=True))
    factor = max(1, -(-TILE // max(height, width)))
    n, font = len(columns[0].images), ImageFont.load_default(13)
    texts = [line for column in columns for line in column.label.split("\n")]
    tile_w = max(width * factor, TILE, *(int(font.getlength(text)) + 8 for text in texts))
    tile_h = height * factor
    margin = max((int(font.getlength(title)) + GAP for title in titles), default=0)
    size = (margin + len(columns) * (tile_w + GAP) + GAP, HEADING + n * (tile_h + GAP))
    canvas = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(canvas)
    for row, title in enumerate(titles):
        pen.text((GAP, HEADING + row * (tile_h + GAP) + tile_h // 2), title, fill="black", font=font, anchor="lm")
    for i, column in enumerate(columns):
        left = margin + GAP + i * (tile_w + GAP)
        pen.multiline_text((left, 5), column.label, fill="black", font=font, spacing=3)
        for row, image in enumerate(column.images):
            picture = (
                to_picture(image).convert("RGB").resize((width * factor, height * factor), Image.Resampling.NEAREST)
            )
            canvas.paste(picture, (left, HEADING + row * (tile_h + GAP)))
    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _spread(items: Sequence[TrialRecord], n: int) -> list[TrialRecord]:
    places = np.unique(np.linspace(0, len(items) - 1, min(n, len(items))).round().astype(int)) if items else []
    return [items[i] for i in places]


def shown_inputs(bench: OpenedStudy, name: str, rows: int) -> tuple[tuple[Tensor, ...], list[Column], list[str]]:
    """Return the generator's inputs [rows, ...], the task's columns beside its outputs, and the titles of rows.

    Rows have titles if they are classes.
    """
    task = bench.task()
    count = min(len(bench.test_data), bench.config.n_eval or len(bench.test_data))
    wanted = np.unique(np.linspace(0, count - 1, max(1, min(rows, count))).round().astype(int)).tolist()
    labels = _first_of_classes(bench, name, count)
    if labels:
        wanted = sorted(labels)
    picked: list[tuple[Tensor, ...]] = []
    shown: dict[str, list[Tensor]] = {}
    for step, batch in enumerate(in_order(bench.test_data, EVAL_BATCH, count)):
        places = [i - step * EVAL_BATCH for i in wanted if step * EVAL_BATCH <= i < (step + 1) * EVAL_BATCH]
        if places:
            picked.append(tuple(x[places] for x in task.inputs(batch, name)))
            for label, images in task.columns(batch, name).items():
                shown.setdefault(label, []).extend(_shown(bench, images[places], picked[-1]))
    inputs = tuple(torch.cat(part) for part in zip(*picked, strict=True))
    suffix = "" if len(bench.names) == 1 else f" of {name}"
    if labels:
        shown = {label: [images[i] for i in _by_label(labels)] for label, images in shown.items()}
        inputs = tuple(
            x[:1].expand_as(x) if one.drawn else x[_by_label(labels)]
            for one, x in zip(bench.config.inputs.inputs, inputs, strict=True)
        )
    titles = [_title(bench.test_data.classes, label) for label in sorted(labels.values())]
    return inputs, [Column(label + suffix, tuple(images)) for label, images in shown.items()], titles


def _first_of_classes(bench: OpenedStudy, name: str, count: int) -> dict[int, int]:
    """Return the position of each class's first test image -> its label; empty for a generator without classes.

    Of many classes some are taken, spread over all.
    """
    places = [i for i, one in enumerate(bench.config.inputs.inputs) if one.kind == "label" and not one.is_map]
    if not places:
        return {}
    firsts: dict[int, int] = {}
    for step, batch in enumerate(in_order(bench.test_data, EVAL_BATCH, count)):
        for i, label in enumerate(bench.task().inputs(batch, name)[places[0]].tolist()):
            firsts.setdefault(label, step * EVAL_BATCH + i)
    found = sorted(firsts)
    spread = np.unique(np.linspace(0, len(found) - 1, min(MOST_CLASSES, len(found))).round().astype(int))
    return {firsts[found[i]]: found[i] for i in spread}


def _by_label(labels: Mapping[int, int]) -> list[int]:
    """Return the rows of places in their order, sorted by label."""
    by_place = [labels[place] for place in sorted(labels)]
    return sorted(range(len(by_place)), key=by_place.__getitem__)


def _title(classes: Sequence[str], label: int) -> str:
    return f"{label} {classes[label]}" if label < len(classes) else f"class {label}"


def shown_outputs(bench: OpenedStudy, model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return pictures of a generator's outputs for inputs."""
    return tuple(_shown(bench, outputs_of(model.to(bench.device), *(x.to(bench.device) for x in inputs)).cpu(), inputs))


def _shown(bench: OpenedStudy, images: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """Return pictures [n, 3, H, W] of the outputs' channels, or of an input's."""
    if images.shape[1] == bench.output.channels:
        return bench.rgb(images, inputs)
    return to_rgb(images, color_of(images.shape[1]))


def _teacher_label(outcome: Outcome) -> str:
    cost = outcome.dense.get(outcome.cost)
    quality = f"\n{_short(outcome)} {outcome.teacher[0].value:.3g}" if outcome.teacher else ""
    return f"dense teacher{quality}" + (f", {describe(cost, outcome.cost)}" if cost else "")


def _label(outcome: Outcome, trial: TrialRecord) -> str:
    share = outcome.share(trial.cost)
    cost = f"{100 * share:.1f} % {outcome.cost}" if share is not None else f"{trial.cost:.4g} {outcome.cost}"
    return f"{trial.number}: {trial.new.method}\n{_short(outcome)} {outcome.value(trial.quality or 0.0):.3g}, {cost}"


def _short(outcome: Outcome) -> str:
    """`fd` or `fid`: there is no room for the whole name, which the tables have."""
    return outcome.metric.partition("[")[0]
