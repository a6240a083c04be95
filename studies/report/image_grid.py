"""A grid of pictures: what the teacher and the pruned generators make of the same inputs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...gan_models.files.atomic_files import write_file
from ...gan_models.quantization.fake_quant import FixedRanges, add_hooks
from ...search.artifacts.study_folder import StudyFolder
from ...search.pictures.shown_pictures import Column, shown_inputs, shown_outputs
from ...search.records.ledger import TrialRecord
from ...spaces.budget import describe
from ..bundles.export import exportable
from ..bundles.trial_weights import open_recorded, trial_generator, trial_quantizations
from ..database.reader import StudyRecord
from ..inference.output_pictures import to_picture
from ..results.outcome import Outcome, outcome_of

TILE_PIXELS, GAP_PIXELS, HEADING_PIXELS = 144, 6, 44  # pixels: a picture at least, between pictures, above each column
MAX_TRIALS = 4


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
    shown = None if trials is None else [exportable(study, number) for number in trials]
    grid: list[Column] = []
    titles: Sequence[str] = ()
    for found in network_pictures(outcome, artifacts_root, shown, rows, device):
        titles = found.titles
        grid += [*found.references, found.teacher, *found.trials.values()]
    return draw_grid(grid, titles)


@dataclass(frozen=True)
class NetworkPictures:
    """Pictures of one generator, made now.

    Attributes:
        network: The generator.
        titles: Of the rows, if they are classes.
        references: Inputs, targets, ...
        teacher: Those of the dense teacher.
        trials: By number.
    """

    network: str
    titles: Sequence[str]
    references: Sequence[Column]
    teacher: Column
    trials: Mapping[int, Column]


def network_pictures(
    outcome: Outcome,
    artifacts_root: str | Path,
    trials: Sequence[TrialRecord] | None = None,
    rows: int = 4,
    device: str = "auto",
) -> list[NetworkPictures]:
    """Run teacher and trials on a few test inputs, and return the pictures by generator.

    Args:
        outcome: The study.
        artifacts_root: Folder of all studies' artifacts.
        trials: None takes up to four of the front, spread from the dearest to the cheapest.
        rows: As in `picture_grid`.
        device: As in `picture_grid`.

    Raises:
        NotExportable, ArtifactError, ValueError: As `picture_grid`.
    """
    shown = _spread(outcome.front[::-1], MAX_TRIALS) if trials is None else list(trials)
    folder = StudyFolder(Path(artifacts_root), outcome.study.name)
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
    found = []
    for name in bench.names:
        inputs, columns, titles = shown_inputs(bench, name, rows)
        parts = [model if len(bench.names) == 1 else model.get_submodule(name) for model in models]
        teacher, *others = (
            Column(label, shown_outputs(bench, part, inputs)) for label, part in zip(labels, parts, strict=True)
        )
        numbered = dict(zip((trial.number for trial in shown), others, strict=True))
        found.append(NetworkPictures(name, titles, columns, teacher, numbered))
    return found


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
    factor = max(1, -(-TILE_PIXELS // max(height, width)))
    n, font = len(columns[0].images), ImageFont.load_default(13)
    texts = [line for column in columns for line in column.label.split("\n")]
    tile_w = max(width * factor, TILE_PIXELS, *(int(font.getlength(text)) + 8 for text in texts))
    tile_h = height * factor
    margin = max((int(font.getlength(title)) + GAP_PIXELS for title in titles), default=0)
    size = (margin + len(columns) * (tile_w + GAP_PIXELS) + GAP_PIXELS, HEADING_PIXELS + n * (tile_h + GAP_PIXELS))
    canvas = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(canvas)
    for row, title in enumerate(titles):
        pen.text(
            (GAP_PIXELS, HEADING_PIXELS + row * (tile_h + GAP_PIXELS) + tile_h // 2),
            title,
            fill="black",
            font=font,
            anchor="lm",
        )
    for i, column in enumerate(columns):
        left = margin + GAP_PIXELS + i * (tile_w + GAP_PIXELS)
        pen.multiline_text((left, 5), column.label, fill="black", font=font, spacing=3)
        for row, image in enumerate(column.images):
            picture = (
                to_picture(image).convert("RGB").resize((width * factor, height * factor), Image.Resampling.NEAREST)
            )
            canvas.paste(picture, (left, HEADING_PIXELS + row * (tile_h + GAP_PIXELS)))
    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _spread(items: Sequence[TrialRecord], n: int) -> list[TrialRecord]:
    places = np.unique(np.linspace(0, len(items) - 1, min(n, len(items))).round().astype(int)) if items else []
    return [items[i] for i in places]


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
