"""Files of published results by name, the protocols that they name, and the sets of images. Imports no torch.

Another package adds a file of results by an entry point of the group `ganprune.published_results` that is a
`ResultFile`; a user's own file is `--rows FILE.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...gan_models.files.open_table import OpenTable
from .published_result import PublishedResult, read_results


@dataclass(frozen=True)
class ResultFile:
    """A CSV file of published results, one row per result.

    Attributes:
        file: The file; a relative path is next to this module.
        note: One line for tables.
    """

    file: Path
    note: str

    def results(self) -> tuple[PublishedResult, ...]:
        """Return its results."""
        return read_results(Path(__file__).parent / self.file)


RESULT_FILES: OpenTable[ResultFile] = OpenTable(
    "file of published results",
    {"ganprune": ResultFile(Path("published.csv"), "results of pruned and compressed GANs, with their sources")},
    group="ganprune.published_results",
    row_type=ResultFile,
    by_path=True,
)


@dataclass(frozen=True)
class Protocol:
    """A way of measuring results. Values of two protocols are never in one table.

    Attributes:
        note: How it measures, and who.
        measured: Beginning of the name of a study's measurement that is made in the same way; empty if none is.
        against: Beginning of the protocol of that measurement: the compared images.
        words: Texts that the measurement's protocol contains, too.
        size: Height and width of the compared images.
        factor: Factor from the study's value to the published one: 100 for percent.
        unlike: Reason that no study's result is comparable; empty if one may be.
    """

    note: str
    measured: str = ""
    against: str = ""
    words: tuple[str, ...] = ()
    size: tuple[int, int] = (256, 256)
    factor: float = 1.0
    unlike: str = ""


_FID = "fid[inception,"
_UNSTATED_PROTOCOL = "the source does not state the compared images and weights"

PROTOCOLS: Mapping[str, Protocol] = {
    "gan-compression/unpaired": Protocol(
        "FID of outputs for test images against training and test images of the target domain, pytorch-fid's Inception",
        _FID,
        "test-vs-train+test",
    ),
    "gan-compression/paired": Protocol(
        "FID of outputs for test images against the real test images, pytorch-fid's Inception", _FID, "test-vs-test"
    ),
    "gan-compression/segmentation": Protocol(
        "mIoU in percent, of DRN-D-105's labels of outputs against the true label maps",
        "miou[drn_d_105,",
        "test-vs-test",
        ("labels: the task's label maps",),
        factor=100.0,
    ),
    "gan-compression/valA": Protocol(
        "FID as users of the repository measured it on valA", unlike="it is measured on other images, valA"
    ),
    "gan-compression/issue-15": Protocol(
        "FID as its authors printed it in an issue, for a supernet and its plans", unlike=_UNSTATED_PROTOCOL
    ),
    "gan-compression/munit": Protocol(
        "FID of MUNIT's outputs in several styles", unlike="each input has several outputs there"
    ),
    "gan-compression/gaugan": Protocol(
        "FID of GauGAN's outputs", unlike="images are not square there, and labels have instances"
    ),
    "gan-compression/segmentation-gaugan": Protocol(
        "mIoU in percent of GauGAN's outputs", unlike="images are not square there, and labels have instances"
    ),
    "cat/figure": Protocol("FID as the comparison figure of CAT has it", unlike=_UNSTATED_PROTOCOL),
    "gan-slimming": Protocol(
        "FID against the training images of the target domain, the best of several checkpoints by that FID",
        unlike="the checkpoint is chosen by the same FID there",
    ),
    "coronet/own": Protocol("FID of CoroNetGAN's paper", unlike=_UNSTATED_PROTOCOL),
    "ugc/own": Protocol("FID of UGC's abstract", unlike=_UNSTATED_PROTOCOL),
    "paddlegan": Protocol("FID of PaddleGAN's README", unlike=_UNSTATED_PROTOCOL),
    "second-hand": Protocol("values that other papers quote", unlike="the values are quoted, perhaps of other runs"),
    "cifar10": Protocol("FID on CIFAR-10", unlike="no published FID at equal MACs was found"),
    "stylegan2/own": Protocol("FID of each paper on StyleGAN2", unlike=_UNSTATED_PROTOCOL),
    "biggan/own": Protocol("FID of the paper on BigGAN", unlike=_UNSTATED_PROTOCOL),
}


@dataclass(frozen=True)
class PublishedSet:
    """A set of images in one direction, with the counts that a study's measurement must have.

    Attributes:
        folder: Name of the set, and usual name of its folder.
        direction: Direction of the generator.
        outputs: Number of measured outputs.
        reals: Number of compared real images.
    """

    folder: str
    direction: str
    outputs: int
    reals: int


SETS: Mapping[str, PublishedSet] = {
    "horse2zebra": PublishedSet("horse2zebra", "AtoB", 120, 1334 + 140),
    "zebra2horse": PublishedSet("horse2zebra", "BtoA", 140, 1067 + 120),
    "summer2winter": PublishedSet("summer2winter", "AtoB", 309, 962 + 238),
    "winter2summer": PublishedSet("summer2winter", "BtoA", 238, 1231 + 309),
    "edges2shoes": PublishedSet("edges2shoes", "AtoB", 2048, 2048),
    "cityscapes": PublishedSet("cityscapes", "BtoA", 500, 500),
}


def published_results(own_rows: tuple[Path, ...] = ()) -> tuple[PublishedResult, ...]:
    """Return all results: ganprune's, those of installed packages, and those of a user's files.

    Args:
        own_rows: CSV files as `read_results` takes them.

    Raises:
        UserError: A file cannot be read, or a row is wrong.
    """
    named = [result for _, row in RESULT_FILES.usable() for result in row.results()]
    return tuple(dict.fromkeys([*named, *(result for path in own_rows for result in read_results(path))]))
