"""Encoders by name, in the order in which `auto` prefers them. Imports no torch.

A study's metric is the name of an encoder: distances are taken between its features. Another package adds a row through
an entry point of the group `ganprune.encoders`; a user's own is named by path, `package.module:name` or `file.py:name`,
and is called with the path of its weights or None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...gan_models.files.errors import UserError
from ...gan_models.files.open_table import OpenTable
from ...gan_models.files.user_code import check_callable, first_line, load_named, one_line

if TYPE_CHECKING:
    from .encoders import Encoder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
AUTO = "auto"  # the first encoder of ours whose weights are at hand


@dataclass(frozen=True)
class EncoderSpec:
    """A row of the table of encoders.

    Attributes:
        load: `module:attribute` relative to the catalog, or a callable that maps the weights' path (or None) to an
            `Encoder`.
        find: Likewise, a function that returns the path of the weights, or None if there are none. None if the weights
            are bundled.
        note: Description in one line.
    """

    load: str | Callable[[Path | None], Encoder]
    find: str | Callable[[Path | None], Path | None] | None = None
    note: str = ""

    def open(self, weights: Path | None) -> Encoder:
        """Return the encoder. Raises the errors of its loader."""
        return load_named(self.load, "encoder", __package__)(weights)

    def weights(self, given: Path | None) -> Path | None:
        """Return the path of its weights; None if they are missing or bundled.

        Raises:
            UserError: `given` is not a file.
        """
        return given if self.find is None else load_named(self.find, "encoder", __package__)(given)

    def at_hand(self, given: Path | None) -> bool:
        """Return True if it can be opened without a download."""
        return self.find is None or self.weights(given) is not None


def _adopt(reference: str, found: Any) -> EncoderSpec:
    """Return the row of a user's own encoder."""
    check_callable("encoder", reference, found, "takes the path of its weights or None")
    return EncoderSpec(cast(Any, found), note=first_line(found))


ENCODERS: OpenTable[EncoderSpec] = OpenTable(
    "encoder",
    {
        "inception": EncoderSpec(
            ".inception:load_inception",
            ".inception:find_inception_weights",
            "pytorch-fid's InceptionV3, 2048 features: the distance is FID",
        ),
        "lite0": EncoderSpec(
            ".pretrained.lite0:load_lite0",
            ".pretrained.lite0:find_lite0_weights",
            "EfficientNet-Lite0 by its weights, 1280 features of natural images",
        ),
        "shapes": EncoderSpec(".shapes_encoder:load_shapes", note="bundled, 96 features"),
    },
    group="ganprune.encoders",
    row_type=EncoderSpec,
    adopt=_adopt,
)


def choose_encoder(name: str, weights: Mapping[str, Path] | None = None) -> tuple[str, Path | None]:
    """Return an encoder's name and the path of its weights.

    Args:
        name: A row, an object by path, or `auto`: the first row of ours whose weights are available.
        weights: Paths of weight files by the row's name, or the object's; without one, the encoder's own places are
            searched.

    Raises:
        UserError: The name is unknown, or the weights are missing.
    """
    given = weights or {}
    if name == AUTO:
        name = next(row for row in ENCODERS.own if ENCODERS[row].at_hand(given.get(row)))
    spec, own = ENCODERS.find(name), given.get(name.rpartition(":")[2])
    if not spec.at_hand(own):
        spec.open(own)  # raises an error that says what to do
    return name, spec.weights(own)


def load_encoder(name: str, weights: Path | None = None) -> Encoder:
    """Return the encoder called `name`.

    Args:
        name: A row of `catalog.ENCODERS`, such as `inception` (pytorch-fid's InceptionV3, 2048 features), `lite0`
            (EfficientNet-Lite0, 1280 features) or `shapes` (bundled, 96 features), or an object by path.
        weights: The weights' file; for `inception`, the default is GANPRUNE_INCEPTION_WEIGHTS or torch hub's cache.
            Nothing is downloaded.

    Raises:
        UserError: No encoder has that name, its weights are missing or not what their name says, or the object is not
            an encoder.
    """
    try:
        encoder = ENCODERS.find(name).open(weights)
    except (UserError, OSError):
        raise
    except Exception as error:
        if name in ENCODERS.own:
            raise
        raise UserError(
            f"encoder {name!r} cannot be opened: got {one_line(error)}; expected a callable of the weights' path or "
            f"None"
        ) from error
    missing = [part for part in ("name", "sha256", "dimension", "preprocessing", "to") if not hasattr(encoder, part)]
    if missing or not callable(encoder):
        raise UserError(
            f"encoder {name!r} is not an encoder: got {type(encoder).__name__} without "
            f"{', '.join(missing) or 'a call'}; "
            "expected name, sha256, dimension, preprocessing, to and a call"
        )
    if not _NAME.fullmatch(encoder.name) or (encoder.name == "inception" and name != "inception"):
        raise UserError(
            f"encoder {name!r} has a name that measurements cannot carry: got {encoder.name!r}; expected letters, "
            "digits, dots and hyphens, and not `inception`, whose distances alone are FID"
        )
    return encoder
