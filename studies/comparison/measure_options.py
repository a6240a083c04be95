"""Options of `fid` and `compare`, declared once for Python and the command line. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...evaluators.features.catalog import AUTO, ENCODERS
from ...evaluators.quality.catalog import METRICS, MetricSet
from ...gan_models.data.spec import DIRECTIONS
from ...gan_models.files.errors import UserError
from ...gan_models.files.user_code import is_path
from ...search.configuration.option import check_options, option
from ...search.configuration.sections import PROTOCOLS
from ..run_options import STORAGE_DEFAULT, STORAGE_HELP, default_storage

if TYPE_CHECKING:
    from ...evaluators.features.encoders import Encoder
    from ...search.preparations.opened_study import OpenedStudy


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """Options of a measurement of images.

    Raises:
        UserError: A name is unknown, or a number is out of range.
    """

    metric: str = option(
        "Encoder in whose features the distance is taken: inception (FID), lite0, shapes (bundled), your own as "
        "file.py:name, or auto for inception if its weights are there.",
        AUTO,
    )
    also_measure: tuple[str, ...] = option(
        "Further metrics: names of installed ones, or your own as file.py:Class.", ()
    )
    weights: Mapping[str, Any] = option(
        "Weight files of encoders and metrics by name: inception=FILE, lite0=FILE, lpips=FILE,alex=FILE.",
        factory=dict,
        example="inception=FILE,vgg=FILE",
    )
    inception_weights: str = option(
        "File of pytorch-fid's Inception weights.", "", default_text="by environment variable, or in torch hub's cache"
    )
    data: str = option("Data that a bundle takes: builtin:shapes, or a folder in its task's layout.", "")
    protocol: str = option(
        f"Generated and real images of --data: {', '.join(PROTOCOLS[:-1])} or {PROTOCOLS[-1]}.",
        "",
        default_text="as in the bundle's study",
        choices=lambda: ("", *PROTOCOLS),
    )
    direction: str = option(
        "Direction of pairs: AtoB or BtoA.",
        "",
        default_text="as in the bundle's study",
        choices=lambda: ("", *DIRECTIONS),
    )
    network: str = option("Generator of a study that prunes both: AtoB or BtoA.", "")
    n_eval: int = option("Most test images on which is measured; 0: all.", 0, low=0)
    workers: int = option("Number of processes that read images in advance.", 0, low=0)
    device: str = option("Device: auto, cpu or cuda.", "auto")
    storage: str = option(STORAGE_HELP, factory=default_storage, default_text=STORAGE_DEFAULT)
    artifacts: str | None = option(
        "Folder of the study's files, or an fsspec URL (s3://...).", None, default_text="next to the database"
    )
    catalog_only: bool = option(
        "Refuse a bundle that contains code of its own, which loading it would run.",
        False,
        flag="--no-code",
        one_way=True,
    )

    def __post_init__(self) -> None:
        """Check what needs no file."""
        check_options(self)
        if self.metric != AUTO and self.metric not in ENCODERS and not is_path(self.metric):
            raise UserError(
                f"metric {self.metric!r} is unknown; use {', '.join((AUTO, *ENCODERS))}, or your own as file.py:name"
            )
        for name in self.also_measure:
            if name not in METRICS and not is_path(name):
                METRICS.find(name)  # raises an error with the known names

    @property
    def weight_files(self) -> dict[str, Path]:
        """Paths of weight files by name; `inception_weights` is one of them."""
        files = {"inception": self.inception_weights} | dict(self.weights)
        return {name: Path(str(path)) for name, path in files.items() if path}

    def encoder(self) -> Encoder:
        """Return the encoder, moved to the device."""
        from ...evaluators.features.catalog import choose_encoder, load_encoder
        from ...gan_models.training.loop import best_device

        return load_encoder(*choose_encoder(self.metric, self.weight_files)).to(best_device(self.device))

    def own_encoder(self, study: OpenedStudy) -> Encoder:
        """Return a study's encoder, which its real features require.

        Raises:
            UserError: Another metric is requested.
        """
        if self.metric not in (AUTO, study.config.metric):
            raise UserError(
                f"study {study.config.name} measures with {study.config.metric}, not {self.metric}: "
                "export the trial and measure the bundle"
            )
        return study.encoder

    def metrics(
        self, references: bool, known: Mapping[str, Path] | None = None, of_task: Mapping[str, Any] | None = None
    ) -> MetricSet:
        """Return ganprune's metrics and requested ones.

        Args:
            references: True if each image has a reference.
            known: Weight files by name, as defaults of those that are not given.
            of_task: The task's facts about its comparisons.

        Raises:
            UserError: A metric's weights are not given, or it needs references and there are none.
        """
        metrics = MetricSet(self.also_measure, {**(known or {}), **self.weight_files}, of_task)
        for m in metrics.metrics:
            if m.row.needs_references and not references and m.name in self.also_measure:
                raise UserError(
                    f"--also-measure {m.name} compares each image with its reference, and here are none: give a "
                    "bundle or a trial of paired data, or leave it out"
                )
        return metrics


@dataclass(frozen=True, kw_only=True)
class FidOptions(MeasureOptions):
    """Options of `fid`."""

    extrapolate: bool = option("Add the distance extrapolated to infinitely many images.", False, one_way=True)
    kid_subset: int = option(
        "Add the kernel distance over 100 subsets of this size, as papers print it; 0: off.", 0, low=0
    )
    save: str = option("File for statistics of the real images, pytorch-fid's .npz.", "")


@dataclass(frozen=True, kw_only=True)
class CompareOptions(MeasureOptions):
    """Options of `compare`."""

    real: str = option("Real images: a folder or .npz.", "", default_text="those of the data")
    level: float = option("Largest p-value at which one is called better.", 0.05)

    def __post_init__(self) -> None:
        """Check the level, too."""
        super().__post_init__()
        if not 0 < self.level < 1:
            raise UserError(
                f"invalid p-value: got --level {self.level}; expected a number between 0 and 1, such as 0.05"
            )
