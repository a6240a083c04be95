"""TensorBoard: one folder of event files per trial, under the study's files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # pyright: ignore[reportMissingImports]
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from .tracker import NOTE, Experiment, TrackedRun

FOLDER = "tensorboard"
_UNLIMITED_SIZES = {"scalars": 0, "images": 0, "tensors": 0}  # 0: nothing is thinned when events are read
_TEXT = "/text_summary"  # TensorBoard's own ending of the tag of a text


class EventFiles:
    """The event files of a study.

    Args:
        folder: Their folder; each run has one below it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.where = f"tensorboard --logdir {folder}"

    def known(self, run: TrackedRun) -> Mapping[str, int]:
        """Return last steps by tag, read from the run's event files."""
        place = self.folder / run.name
        if not place.is_dir():
            return {}
        events = EventAccumulator(str(place), size_guidance=_UNLIMITED_SIZES)
        events.Reload()
        tags = events.Tags()
        found = {tag: events.Scalars(tag)[-1].step for tag in tags["scalars"]}
        found |= {tag: events.Images(tag)[-1].step for tag in tags["images"]}
        texts = [tag for tag in tags["tensors"] if tag.endswith(_TEXT)]
        return found | {tag.removesuffix(_TEXT): events.Tensors(tag)[-1].step for tag in texts}

    def write(self, run: TrackedRun) -> None:
        """Append what is new to the run's events; its parameters are written with its results when it ended."""
        if not (run.curves or run.pictures or run.note):
            return
        with SummaryWriter(str(self.folder / run.name)) as writer:
            for name, points in run.curves.items():
                for step, value in points:
                    writer.add_scalar(name, value, step)
            for picture in run.pictures:
                writer.add_image(picture.name, picture.pixels(), picture.step, dataformats="HWC")
            if run.note:
                writer.add_text(NOTE, run.note, run.step)
                results = [name for name in run.curves if name.startswith("result/")]
                for summary in hparams(dict(run.params), dict.fromkeys(results, 0.0)):
                    writer._get_file_writer().add_summary(summary)

    def close(self) -> None:
        """Do nothing: each write is whole."""


def open_event_files(experiment: Experiment) -> EventFiles:
    """Return the event files of a study, `tensorboard/` in its folder."""
    return EventFiles(experiment.folder / FOLDER)
