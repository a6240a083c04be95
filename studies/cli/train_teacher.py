"""A teacher trained apart from any search, into files that `--teacher` takes."""

from __future__ import annotations

import shutil
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from ...gan_models.files.atomic_files import read_json, written_beside
from ...gan_models.files.errors import UserError
from ...search.config import SPLIT_LABELS, StudyConfig
from ...search.configuration.sections import SECTIONS
from ...search.preparations.prepare import make_teacher
from ...search.preparations.prepared_study import PreparedStudy
from ...search.preparations.teacher import FOLDER, TEACHER
from ...search.setup.idle_options import Facts, idle_notes
from ...search.setup.open_choices import decided, with_selection
from ..run_options import RunOptions
from .progress import Display


def train_to_file(options: Mapping[str, Any], out: Path, console: Console, own: Container[str]) -> list[str]:
    """Trains a teacher; an interrupted run continues when it is started again.

    Args:
        options: Fields of `StudyConfig` but name and budgets.
        out: The generator's file; several generators and discriminators go next to it, by name.
        console: For the display.
        own: Fields that a teacher depends on; one file serves a search, too, and what else it holds is not for here.

    Returns:
        A line a file, and one a measurement.

    Raises:
        ValueError: Options that do not fit, or a file of another kind.
    """
    if out.suffix != ".safetensors":
        raise UserError(f"--out {out} must end in .safetensors")
    given = {**options, "name": "teacher", "budgets": ["100%"], "trials": 1}
    config, notes, output = decided(StudyConfig.from_json(given))
    config, splits, told = with_selection(config, output)
    acting = {name: value for name, value in options.items() if name in own}
    idle = idle_notes(SECTIONS.values(), Facts(config, config.bits_offered(), RunOptions(), acting))
    for note in (*notes, *told, *idle):
        console.print(f"note: {note}", highlight=False)
    work = out.with_suffix(".training")
    work.mkdir(parents=True, exist_ok=True)
    with Display(console, config.metric, 1.0).live() as display:
        artifact = make_teacher(PreparedStudy(config, splits=splits), work, display.teacher)
    for note in artifact.notes:
        console.print(f"note: {note}", highlight=False)
    lines = []
    for name in (read_json(work / FOLDER / TEACHER) or {})["files"]:
        kind, _, network = Path(name).stem.partition("-")
        if kind not in ("generator", "discriminator"):
            continue
        parts = ([] if network == "G" else [network]) + (["discriminator"] if kind == "discriminator" else [])
        target = out.with_name(".".join([out.stem, *parts]) + ".safetensors")
        with written_beside(target) as beside:
            shutil.copyfile(work / FOLDER / name, beside)
        lines.append(str(target))
    shutil.rmtree(work)
    shown = {f"{SPLIT_LABELS[config.scored_on]} ": artifact.measurements, "test ": artifact.tested}
    if not artifact.tested:
        shown = {"": artifact.measurements}
    return lines + [f"{split}{m.name} {m.value:.4g}" for split, measured in shown.items() for m in measured[:2]]
