"""Pictures that a training leaves at fixed steps, as strips of WebP within a stated number of bytes.

A strip is the pictures of one generator below each other. Its file is named by generator and step, so that an attempt
that makes a step again writes the same file.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from ...gan_models.files.atomic_files import read_json, write_file, write_json
from ...gan_models.files.plain_values import from_json
from ..setup.study_parts import StudyParts
from .shown_pictures import ROWS, fixed_inputs, shown_outputs

PICTURE_BYTES = 400_000  # of all strips of one trial, or of the teacher
LAST_STRIP_SHARE = 0.5  # of these bytes, for the last strip; the others share the rest
FOLDER = "pictures"  # in a trial's folder, or the teacher's
COLUMN_LABELS_FILE = "beside.json"  # labels of the columns beside the outputs
_NAME = re.compile(r"(?P<network>.+)-(?P<step>\d{9})\.webp")
_QUALITIES = (95, 85, 70, 50)  # of lossy WebP, tried in this order if the lossless one is too large
_SMALLEST = 16  # pixels of a picture's side, below which it is not shrunk


@dataclass(frozen=True)
class Strip:
    """One strip of pictures.

    Attributes:
        network: The generator.
        step: Steps of the trial that were done.
        content: WebP.
    """

    network: str
    step: int
    content: bytes


@dataclass(frozen=True)
class StripFile:
    """The file of a strip, unread.

    Attributes:
        network: The generator.
        step: Steps of the trial that were done.
        path: WebP.
    """

    network: str
    step: int
    path: Path


@dataclass(frozen=True)
class Beside:
    """Labels of the pictures next to a generator's outputs.

    Attributes:
        labels: Of the columns: `input`, `target`, ...
        titles: Of the rows, if they are classes.
        rows: Pictures below each other in each strip.
    """

    labels: tuple[str, ...]
    titles: tuple[str, ...] = ()
    rows: int = ROWS


def keep_pictures(
    bench: StudyParts, generators: Mapping[str, nn.Module], folder: Path, step: int, share: float
) -> None:
    """Write the strips of a step: what each pruned generator makes of the fixed inputs.

    A generator whose pictures are not finite leaves none. Pictures that cannot be made end no training: a task of the
    user's own may raise anything, and a warning says what.

    Args:
        bench: The study.
        generators: By name.
        folder: The trial's or the teacher's.
        step: Steps that are done.
        share: Of `PICTURE_BYTES`, for this step.
    """
    limit = int(share * PICTURE_BYTES / len(bench.names))
    with _warned():
        for name in bench.names:
            inputs, _, _ = fixed_inputs(bench, name)
            write_strip(folder, name, f"{step:09d}", shown_outputs(bench, generators[name], inputs), limit)


def keep_beside(bench: StudyParts, folder: Path) -> None:
    """Write what is next to the outputs, such as inputs and targets, into the teacher's folder."""
    found: dict[str, Beside] = {}
    with _warned():
        for name in bench.names:
            inputs, columns, titles = fixed_inputs(bench, name)
            found[name] = Beside(tuple(column.label for column in columns), tuple(titles), len(inputs[0]))
            for place, column in enumerate(columns):
                write_strip(folder, name, f"beside-{place}", column.images, PICTURE_BYTES // (2 * len(columns)))
        write_json(folder / FOLDER / COLUMN_LABELS_FILE, found)


@contextmanager
def _warned() -> Iterator[None]:
    """Tell of pictures that cannot be made, and continue; a full disk is not a matter of pictures."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        warnings.warn(f"no pictures of a training are kept: {type(error).__name__}: {error}", stacklevel=3)


def kept_beside(folder: Path) -> tuple[dict[str, Beside], dict[tuple[str, int], bytes]]:
    """Return what `keep_beside` wrote: labels by generator, and strips by generator and column.

    Args:
        folder: The teacher's.
    """
    stored = read_json(folder / FOLDER / COLUMN_LABELS_FILE)
    found = {} if stored is None else from_json(dict[str, Beside], stored, COLUMN_LABELS_FILE)
    paths = {
        (name, place): folder / FOLDER / f"{name}-beside-{place}.webp"
        for name, beside in found.items()
        for place in range(len(beside.labels))
    }
    return found, {key: path.read_bytes() for key, path in paths.items() if path.is_file()}


def write_strip(folder: Path, network: str, name: str, images: Sequence[Tensor], limit: int) -> None:
    """Write one strip, unless a picture is not finite."""
    if all(bool(image.isfinite().all()) for image in images):
        write_file(folder / FOLDER / f"{network}-{name}.webp", encoded(images, limit))


def encoded(images: Sequence[Tensor], limit: int) -> bytes:
    """Return pictures [3, H, W] in [-1, 1] below each other as WebP of at most `limit` bytes.

    Lossless if that fits, else of lower quality, else at half the size, and so on down to sides of 16 pixels.
    """
    pixels = torch.cat([image.float().cpu() for image in images], dim=1)
    array = pixels.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return packed(Image.fromarray(array), len(images), limit)


def packed(strip: Image.Image, rows: int, limit: int) -> bytes:
    """Return a strip of `rows` rows as WebP, as `encoded` does."""
    content = b""
    while True:
        for options in ({"lossless": True}, *({"quality": quality} for quality in _QUALITIES)):
            buffer = io.BytesIO()
            strip.save(buffer, format="WEBP", method=4, **options)
            content = buffer.getvalue()
            if len(content) <= limit:
                return content
        width, height = strip.width // 2, strip.height // rows // 2
        if min(width, height) < _SMALLEST:
            return content
        strip = strip.resize((width, height * rows), Image.Resampling.BOX)


def kept_strips(folder: Path) -> tuple[Strip, ...]:
    """Return the strips that a training left in its folder, by step; none if there are none.

    Args:
        folder: The trial's or the teacher's.
    """
    return tuple(Strip(file.network, file.step, file.path.read_bytes()) for file in strip_files(folder))


def strip_files(folder: Path) -> tuple[StripFile, ...]:
    """Return the files of the same strips, by step; none is read."""
    found = [(match, path) for path in (folder / FOLDER).glob("*.webp") if (match := _NAME.fullmatch(path.name))]
    files = [StripFile(match["network"], int(match["step"]), path) for match, path in found]
    return tuple(sorted(files, key=lambda file: (file.step, file.network)))
