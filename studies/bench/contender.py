"""A contender of a benchmark: the options of its studies in addition to the task's. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...gan_models.files.errors import UserError

# A cell of one trial: at its target, with the method's default settings, and never stopped.
ONE_TRIAL: Mapping[str, Any] = {"trials": 1, "mode": "target", "rungs": (), "reduction": 0}
# Options that the benchmark itself sets for each cell.
CELL_FIELDS = ("name", "budgets", "seed", "trial_seed", "teacher", "teacher_discriminator")


@dataclass(frozen=True)
class Contender:
    """A participant of a benchmark: fields of `StudyConfig` that differ from the task's.

    Attributes:
        options: Fields by name: `methods`, `method_settings`, `calibration_images`, `recipe`, ... With `trials` above
            1 each cell is a whole search; else it is one trial of one method.

    Raises:
        UserError: An option that the benchmark decides, or one trial and several methods.
    """

    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in CELL_FIELDS:
            if name in self.options:
                raise UserError(
                    f"a contender decides no {name}: got {self.options[name]!r}; expected an option that a benchmark "
                    "leaves to contenders. Try methods, method_settings, recipe or trials"
                )
        if not self.searches and len(self.methods) != 1:
            got = ", ".join(self.methods) or "none"
            raise UserError(
                f"a contender of one trial has one method: got {got}; expected one of methods. Try trials=16 for a "
                "search over several"
            )

    @classmethod
    def of_method(cls, name: str) -> Contender:
        """Return the contender of one method at its default settings.

        Args:
            name: Of the table of methods, or by path.
        """
        return cls({"methods": (name,)})

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the methods that are named; empty: those of a search by default."""
        named = self.options.get("methods", ())
        return (named,) if isinstance(named, str) else tuple(named)

    @property
    def searches(self) -> bool:
        """Return True if each cell is a search of several trials."""
        return self.options.get("trials", 1) > 1

    @property
    def all_options(self) -> dict[str, Any]:
        """Return all options, with those of a one-trial cell if it is one."""
        return {**({} if self.searches else ONE_TRIAL), **self.options}
