"""Presets by name: published recipes that `--preset` takes. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ....gan_models.files.open_table import OpenTable


@dataclass(frozen=True)
class Preset:
    """A published recipe: a TOML file as `--config` takes one, and facts about its images.

    Attributes:
        file: The file; a relative path is next to this module.
        note: One line for tables.
        data: Name of the published set of images, as `ganprune scoreboard` names it.
        layout: Layout of its folder, for messages.
        images: Number of its images by kind, for comparison with the user's: `train` with everything that is held out
            of it for selection, and `test`. Other kinds are not compared.
    """

    file: Path
    note: str
    data: str
    layout: str
    images: Mapping[str, int] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file's path."""
        return Path(__file__).parent / self.file


_UNPAIRED_LAYOUT = "trainA/ trainB/ testA/ testB/"

PRESETS: OpenTable[Preset] = OpenTable(
    "preset",
    {
        "horse2zebra": Preset(
            Path("horse2zebra.toml"),
            "CycleGAN, horses to zebras, 2.67 published GMACs of GAN Compression",
            "horse2zebra",
            _UNPAIRED_LAYOUT,
            {"train": 1334, "test": 140},
        ),
        "summer2winter": Preset(
            Path("summer2winter.toml"),
            "CycleGAN, summer to winter, 3.18 published GMACs of DMAD",
            "summer2winter",
            _UNPAIRED_LAYOUT,
            {"train": 1231, "test": 309},
        ),
        "edges2shoes": Preset(
            Path("edges2shoes.toml"),
            "pix2pix with ResNet-9, edges to shoes, 4.81 published GMACs of GAN Compression",
            "edges2shoes",
            "train/ and val/ with A|B side by side, in the split of GAN Compression",
            {"train": 47977, "test": 2048},
        ),
        "cityscapes": Preset(
            Path("cityscapes.toml"),
            "pix2pix with ResNet-9, label maps to photographs, 5.66 published GMACs of GAN Compression",
            "cityscapes",
            "train/ and val/ with photograph|label map side by side",
            {"train": 2975, "test": 500},
        ),
        "cifar10-sngan": Preset(
            Path("cifar10-sngan.toml"),
            "SNGAN on CIFAR-10 at half of its MACs",
            "cifar10",
            "CIFAR-10's binary archive, or its folder cifar-10-batches-bin",
            {"train": 50000, "test": 10000},
        ),
    },
    group="ganprune.presets",
    row_type=Preset,
    by_path=True,
)
