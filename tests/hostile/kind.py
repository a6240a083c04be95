"""A kind of hostile input: how a case is made, and the product's own functions that read it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Make = Callable[[random.Random, Path, Path], None]
Read = Callable[[Path, Path], object]


@dataclass(frozen=True)
class Kind:
    """One row of the table.

    Attributes:
        seeds: Write good files into a folder, once; the mutations start from them.
        make: Write a case: dice, folder of the seeds, folder of the case.
        read: Read a case: folder of the case, folder in which results may be written.
        refusals: Exceptions besides `UserError` and `WorkFailed` by which the readers refuse, all documented by them.
    """

    seeds: Callable[[Path], None]
    make: Make
    read: Read
    refusals: tuple[type[Exception], ...] = ()


def any_file(folder: Path, dice: random.Random, pattern: str = "*") -> Path:
    """Return one of the files in a folder."""
    return dice.choice(sorted(path for path in folder.glob(pattern) if path.is_file()))
