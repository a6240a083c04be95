"""The conditions under which a study's result stands in the table of a published protocol. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from ...evaluators.measurement import Measurement
from ...gan_models.data.spec import DIRECTIONS
from ...search.config import BOTH_DIRECTIONS
from ...search.configuration.presets.catalog import PRESETS
from ..results.outcome import Outcome, named
from .catalog import PROTOCOLS, SETS

_REALS = re.compile(r"(?:^|; )n_real=(\d+)")


def folder_of(outcome: Outcome, stated: str = "") -> str:
    """Return the name of the published set of a study's images: as stated, the preset's, or the folder's name.

    Args:
        outcome: The study.
        stated: Name of a set, as a user states it.
    """
    if stated:
        return SETS[stated].folder if stated in SETS else stated
    preset = outcome.config.preset
    if preset in PRESETS.own:
        return PRESETS.own[preset].data
    return PurePath(outcome.config.data).name


def set_of(outcome: Outcome, stated: str = "") -> str:
    """Return the name of the published set in the direction of the study's generator; else the folder's name.

    Args:
        outcome: The study.
        stated: Name of a set, as a user states it.
    """
    config, folder = outcome.config, folder_of(outcome, stated)
    direction = config.prune_network if config.prune_network in DIRECTIONS else config.direction
    same = (name for name, row in SETS.items() if row.folder == folder and row.direction == direction)
    return next(same, folder)


def unlike_study(outcome: Outcome, board: tuple[str, str, str], stated: str = "") -> str:
    """Return the reason that no result of a study stands on a board; empty if one may.

    Args:
        outcome: The study.
        board: Data, metric and protocol of the published results.
        stated: Name of the set of images, as a user states it.
    """
    data, _, name = board
    protocol = PROTOCOLS.get(name)
    if outcome.note:
        return "the study is simulated, and nothing was measured"
    if (own := set_of(outcome, stated)) != data:
        return f"the study's images are {own}, not {data}"
    if protocol is None:
        return f"the protocol {name!r} is not known, so that nothing can be measured in its way"
    if protocol.unlike or not protocol.measured:
        return protocol.unlike or "no measurement of ganprune is made in its way"
    if outcome.config.prune_network == BOTH_DIRECTIONS:
        return "the study prunes both generators, and its quality is their mean"
    if outcome.config.size != protocol.size:
        size = outcome.config.size or (0, 0)
        return f"images are {size[0]}x{size[1]}, not {protocol.size[0]}x{protocol.size[1]}"
    return ""


def comparable(board: tuple[str, str, str], measured: Sequence[Measurement]) -> Measurement | str:
    """Return the measurement that is made as a board's results are, or the reason that there is none.

    Args:
        board: Data, metric and protocol of the published results; the protocol has a measurement.
        measured: Measurements of one generator on the test split.
    """
    data, _, name = board
    protocol, expected = PROTOCOLS[name], SETS.get(data)
    if not measured:
        return "it was not measured on the test split"
    found = [m for m in measured if m.name.startswith(protocol.measured)]
    if not found:
        return f"it has no {protocol.measured}...], but {measured[0].name}"
    one = found[0]
    if one.reason is not None:
        return f"{one.name} has no value: {one.reason}"
    compared = one.protocol.partition(";")[0]
    if compared != protocol.against:
        return f"it compares {compared or 'unknown images'}, not {protocol.against}"
    if lacking := [words for words in protocol.words if words not in one.protocol]:
        return f"it is not measured by {lacking[0]}"
    if expected is None:
        return f"the counts of {data}'s images are not known"
    reals = _REALS.search(one.protocol)
    if one.n != expected.outputs:
        return f"{one.n} outputs are measured, not {expected.outputs:,}"
    if reals is not None and int(reals[1]) != expected.reals:
        return f"{int(reals[1]):,} real images are compared, not {expected.reals:,}"
    return one


def measured_cost(measured: Sequence[Measurement], name: str) -> float | None:
    """Return a cost among measurements, or None."""
    found = named(measured, name)
    return None if found is None or found.reason is not None else found.value
