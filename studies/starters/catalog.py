"""The kinds of files that `ganprune new` writes. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Starter:
    """A kind of file to start from: `templates/KIND.py.jinja`, and `templates/KIND_test.py.jinja` of its test.

    Attributes:
        note: The content of the file, for help and messages.
        naming: The object in the file: a class, named in CamelCase, or a function, named as the file.
        usage: A search that uses it; {object} stands for `file.py:name`.
    """

    note: str
    naming: Literal["class", "function"]
    usage: str

    def name_of(self, file: str) -> str:
        """Return the name of the object in a file.

        Args:
            file: The file's name without `.py`, in lower case with underscores.
        """
        return file if self.naming == "function" else camel_case(file)


def camel_case(name: str) -> str:
    """Return a name with underscores in CamelCase."""
    return "".join(part.capitalize() for part in name.split("_"))


_SEARCH = "ganprune search --study NAME"

STARTERS: Mapping[str, Starter] = {
    "task": Starter(
        "a kind of training: data, the generator's inputs, losses",
        "class",
        f"{_SEARCH} --model resnet --task {{object}} --data FOLDER --budget 25%",
    ),
    "method": Starter(
        "a way to choose the channels that stay",
        "class",
        f"{_SEARCH} --model resnet --methods {{object}},uniform --data FOLDER --budget 25%",
    ),
    "metric": Starter(
        "a number per image, by which trials are compared",
        "function",
        f"{_SEARCH} --model resnet --metric {{object}} --data FOLDER --budget 25%",
    ),
    "network": Starter(
        "a generator",
        "class",
        f"{_SEARCH} --model {{object}} --input-shape 3,64,64 --data FOLDER --budget 25%",
    ),
    "training": Starter(
        "a training loop of pruned generators",
        "function",
        f"{_SEARCH} --model resnet --teacher FILE --train {{object}} --methods uniform,magnitude --data FOLDER "
        "--budget 25%",
    ),
    "data": Starter(
        "images of each split, by any code",
        "class",
        f"{_SEARCH} --model resnet --data {{object}} --image-size 64 --budget 25%",
    ),
}
