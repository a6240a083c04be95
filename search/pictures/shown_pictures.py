"""Pictures of a few fixed test inputs: what is next to a generator's outputs, and the outputs.

Shapes: N pictures, C channels, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from ...gan_models.data.dataset import in_order
from ...gan_models.files.pictures.colors import color_of
from ...gan_models.networks.colors import to_rgb
from ..setup.study_parts import StudyParts

BATCH = 32  # that of measuring: of tasks that draw latents it decides which are drawn
MAX_CLASSES = 12
ROWS = 4  # pictures that are kept of a generator without classes


@dataclass(frozen=True)
class Column:
    """One column of a grid: its label and its pictures."""

    label: str
    images: tuple[Tensor, ...]


def shown_inputs(bench: StudyParts, name: str, rows: int) -> tuple[tuple[Tensor, ...], list[Column], list[str]]:
    """Return the generator's inputs [rows, ...], the task's columns next to its outputs, and the titles of rows.

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
    for step in sorted({place // BATCH for place in wanted}):
        first, end = step * BATCH, min((step + 1) * BATCH, count)
        batch = default_collate([bench.test_data[i] for i in range(first, end)]) | {"step": torch.tensor(step)}
        places = [i - first for i in wanted if first <= i < end]
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


def shown_outputs(bench: StudyParts, model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return pictures of a generator's outputs for inputs; the network moves to the study's device, in eval mode."""
    model = model.to(bench.device).eval()
    with torch.no_grad():
        outputs = model(*(x.to(bench.device) for x in inputs)).cpu()
    return tuple(_shown(bench, outputs, inputs))


_inputs: WeakKeyDictionary[StudyParts, dict[str, tuple[tuple[Tensor, ...], list[Column], list[str]]]] = (
    WeakKeyDictionary()
)


def fixed_inputs(bench: StudyParts, name: str) -> tuple[tuple[Tensor, ...], list[Column], list[str]]:
    """Return `shown_inputs` of the pictures that are kept of each trial; read once per study and process."""
    known = _inputs.setdefault(bench, {})
    if name not in known:
        known[name] = shown_inputs(bench, name, ROWS)
    return known[name]


def _first_of_classes(bench: StudyParts, name: str, count: int) -> dict[int, int]:
    """Return the position of each class's first test image -> its label; empty for a generator without classes.

    Of many classes some are taken, spread over all.
    """
    places = [i for i, one in enumerate(bench.config.inputs.inputs) if one.kind == "label" and not one.is_map]
    if not places:
        return {}
    firsts: dict[int, int] = {}
    for step, batch in enumerate(in_order(bench.test_data, BATCH, count)):
        for i, label in enumerate(bench.task().inputs(batch, name)[places[0]].tolist()):
            firsts.setdefault(label, step * BATCH + i)
    found = sorted(firsts)
    spread = np.unique(np.linspace(0, len(found) - 1, min(MAX_CLASSES, len(found))).round().astype(int))
    return {firsts[found[i]]: found[i] for i in spread}


def _by_label(labels: Mapping[int, int]) -> list[int]:
    """Return the rows of places in their order, sorted by label."""
    by_place = [labels[place] for place in sorted(labels)]
    return sorted(range(len(by_place)), key=by_place.__getitem__)


def _title(classes: Sequence[str], label: int) -> str:
    return f"{label} {classes[label]}" if label < len(classes) else f"class {label}"


def _shown(bench: StudyParts, images: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """Return pictures [N, 3, H, W] of the outputs' channels, or of an input's."""
    if images.shape[1] == bench.output.channels:
        return bench.rgb(images, inputs)
    return to_rgb(images, color_of(images.shape[1]))
