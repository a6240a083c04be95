"""Contenders by name. Imports no torch.

A contender is a method of the table of methods at its defaults, or a row of this table: a method with other settings, a
search, ... Another package adds a row by the entry-point group `ganprune.contenders`. `package.module:name` and
`file.py:name` name a user's own `Contender`, or a method of theirs.
"""

from __future__ import annotations

from typing import Any

from ...gan_models.files.errors import UserError
from ...gan_models.files.open_table import OpenTable
from ...gan_models.pruning.catalog import METHODS, method_spec
from .contender import Contender


def _adopt(reference: str, found: Any) -> Contender:
    """Return the contender of a user's own method."""
    method_spec(reference)  # raises an error if it is not a method
    return Contender.of_method(reference)


def _of(method: str, bits: int = 32, **settings: Any) -> Contender:
    """Return a method with settings that are not its defaults."""
    options: dict[str, Any] = {"methods": (method,)}
    if settings:
        options["method_settings"] = {f"{method}.{name}": value for name, value in settings.items()}
    return Contender(options if bits == 32 else options | {"bits": (bits,)})


CONTENDERS: OpenTable[Contender] = OpenTable(
    "contender",
    {
        # Contenders with one part of a method disabled.
        **{
            f"{name}/plain cut": Contender({"methods": (name,), "calibration_images": 0})
            for name in ("uniform", "magnitude")
        },
        "coronet/random init": _of("coronet", init="random"),
        # The ranking that is not the method's default.
        **{f"{name}/schur": _of(name, ranking="schur") for name in ("coronet", "mggc")},
        "slimming/l1": _of("slimming", ranking="l1"),
        "mggc/no feedback": _of("mggc", feedback=False),
        "mggc/whole discriminator": _of("mggc", prune_discriminator=False),
        "mggc/no density": _of("mggc", density="off"),
        "mggc/free logits": _of("mggc", agent="logits"),
        "mggc/no prior": _of("mggc", prior=0.0),
        "slimming/pruning alone": _of("slimming", objective="gan"),
        "slimming/8 bits": _of("slimming", bits=8, order="joint"),
        "slimming/8 bits after": _of("slimming", bits=8, order="sequential"),
        # `restart`: only the method's plan, with the teacher's weights, refitted; otherwise its own weights.
        **{f"{name}/restart": _of(name, restart="always") for name in ("coronet", "mggc", "slimming")},
        **{f"{name}/no restart": _of(name, restart="never") for name in ("coronet", "mggc", "slimming")},
        **{f"{name}/8 bits": _of(name, bits=8) for name in ("uniform", "magnitude", "coronet", "mggc")},
        # Whole searches: their fronts are compared by hypervolume.
        "search": Contender({"trials": 16}),
        "search/uniform plans": Contender({"trials": 16, "methods": ("uniform",), "ladder": 16}),
        "search/random": Contender({"trials": 16, "methods": ("widths",), "sampler": "random"}),
        "search/tpe": Contender({"trials": 16, "methods": ("widths",), "sampler": "tpe"}),
        "search/nsga2": Contender({"trials": 16, "methods": ("widths",), "sampler": "nsga2"}),
    },
    group="ganprune.contenders",
    row_type=Contender,
    adopt=_adopt,
)


def contender_of(name: str) -> Contender:
    """Return a contender by its name: a row of the table, a method, or a user's own by path.

    Raises:
        UserError: There is none; the message names the existing ones.
    """
    if name in METHODS:
        if METHODS.find(name).searches_ratios:
            raise UserError(
                f"contender {name!r} has no plan of its own: got a method that a search gives ratios to; expected one "
                f"that takes a target. Try search/tpe, or uniform"
            )
        return Contender.of_method(name)
    try:
        return CONTENDERS.find(name)
    except UserError as error:
        if ":" in name:
            raise
        methods = ", ".join(known for known, spec in METHODS.items() if not spec.searches_ratios)
        raise UserError(f"{error} Methods are contenders, too: {methods}") from error
