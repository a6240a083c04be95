"""Pictures of the report's page: strips that trainings kept, or that generators make now, within a stated size."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from ...search.artifacts.study_folder import StudyFolder
from ...search.pictures.kept_pictures import Strip, encoded, kept_beside, kept_strips, packed
from ..bundles.trial_weights import ArtifactError
from ..results.outcome import Outcome
from .image_grid import network_pictures
from .page_data import StripView, folder_of

PAGE_PICTURE_BYTES = 1_000_000  # of all pictures on the page, before base64 adds a third
MIN_STRIP_BYTES = 600  # of one strip: with less it is left out
TEACHER = "teacher"
# Shares of the bytes, in the order of importance: ends of the front and what stands beside, ends of other trials,
# steps of the teacher and the front, steps of other trials. What one leaves over is the next one's.
SHARES = (0.6, 0.25, 0.6, 1.0)


@dataclass(frozen=True)
class PagePictures:
    """The strips of a page.

    Attributes:
        strips: As the page shows them.
        titles: Titles of rows by generator, if they are classes.
        note: A remark for people, such as on what was left out.
        missing: Why there are none.
    """

    strips: tuple[StripView, ...] = ()
    titles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    note: str = ""
    missing: str = ""


@dataclass(frozen=True)
class _Found:
    subject: str
    rank: int
    rows: int
    last: bool
    strip: Strip


def page_pictures(outcome: Outcome, artifacts_root: Path) -> PagePictures:
    """Return the pictures that trainings of a study kept; of an earlier version's study those of its front, made now.

    Args:
        outcome: The study.
        artifacts_root: Folder of all studies' artifacts.
    """
    folder = StudyFolder(artifacts_root, outcome.study.name)
    beside, columns = kept_beside(folder.teacher)
    titles = {name: found.titles for name, found in beside.items()}
    rows = {name: found.rows for name, found in beside.items()}
    found = [
        _Found(beside[name].labels[place], 0, rows[name], True, Strip(name, 0, content))
        for (name, place), content in columns.items()
    ]
    if found:
        front = {trial.number for trial in outcome.front}
        found += _of_training(TEACHER, 0, rows, kept_strips(folder.teacher))
        for trial in outcome.study.trials:
            own = kept_strips(folder.path / folder_of(trial))
            found += _of_training(str(trial.number), 0 if trial.number in front else 1, rows, own)
        return _within(found, titles, "a few images spread over the test split")
    if outcome.note:
        return PagePictures(missing="nothing was trained.")
    try:
        made = network_pictures(outcome, artifacts_root)
    except (ArtifactError, ValueError, RuntimeError) as error:
        return PagePictures(missing=str(error))
    titles = {}
    for each in made:
        titles[each.network] = tuple(each.titles)
        parts = [(column.label, column) for column in each.references]
        parts += [(TEACHER, each.teacher), *((str(number), column) for number, column in each.trials.items())]
        for subject, column in parts:
            content = encoded(column.images, PAGE_PICTURE_BYTES)
            found.append(_Found(subject, 0, len(column.images), True, Strip(each.network, 0, content)))
    return _within(found, titles, "made now of the front: an earlier version kept none")


def _of_training(subject: str, rank: int, rows: dict[str, int], strips: Sequence[Strip]) -> list[_Found]:
    """Return a training's strips: the last of each generator ranks before its steps."""
    ends = {strip.network: strip.step for strip in strips}
    return [
        _Found(subject, rank if strip.step == ends[strip.network] else rank + 2, rows.get(strip.network, 1),
               strip.step == ends[strip.network], strip)
        for strip in strips
    ]  # fmt: skip


def _within(found: Iterable[_Found], titles: dict[str, tuple[str, ...]], note: str) -> PagePictures:
    """Return strips within the page's bytes, made smaller or left out by their rank."""
    everything, left, shown, out, lossy = list(found), PAGE_PICTURE_BYTES, [], 0, False
    for rank, share in enumerate(SHARES):
        own = [each for each in everything if each.rank == rank]
        limit = int(left * share / max(len(own), 1))
        for each in own:
            content = each.strip.content
            if len(content) > limit and limit < MIN_STRIP_BYTES:
                out += 1
                continue
            with Image.open(io.BytesIO(content)) as opened:
                image = opened.convert("RGB")
            if len(content) > limit:
                content, lossy = packed(image, each.rows, limit), True
            if len(content) > max(limit, MIN_STRIP_BYTES):
                out += 1
                continue
            left -= len(content)
            shown.append(_view(each, content))
    remarks = [note]
    remarks += ["some are compressed to keep the page small"] if lossy else []
    remarks += [f"{out} strips are left out, for the page would be too large"] if out else []
    return PagePictures(tuple(shown), titles, f"{'; '.join(remarks).capitalize()}.")


def _view(found: _Found, content: bytes) -> StripView:
    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
    address = f"data:image/webp;base64,{base64.b64encode(content).decode()}"
    strip = found.strip
    return StripView(found.subject, strip.network, strip.step, found.last, found.rows, width, height, address)
