"""Samplers by name. Imports neither Optuna nor torch.

Another package adds a row through an entry point of the group `ganprune.samplers`; a user's own is named by path,
`package.module:name` or `file.py:name`: a class or function from a seed to one of Optuna's samplers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ...gan_models.files.errors import UserError
from ...gan_models.files.open_table import OpenTable
from ...gan_models.files.user_code import check_callable, first_line, load_named, one_line

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

    Space = Mapping[str, BaseDistribution]


_SAMPLER = ("infer_relative_search_space", "sample_relative", "sample_independent")  # methods of Optuna's BaseSampler


@dataclass(frozen=True)
class SamplerSpec:
    """A row of the table of samplers: exactly one of `make` and `point`.

    Attributes:
        make: Function from a seed to an Optuna sampler, or its `module:attribute` relative to this file. A new sampler
            is created for each proposal, and gets the study's history as an Optuna study.
        point: Function `(space, seed, index) -> params` of a sequence that ignores the history, or its name.
        models_ratios: True if the ratios of a method that searches them come from `width_model` instead.
        note: One line for tables.

    Raises:
        ValueError: Both or neither of `make` and `point` are given.
    """

    make: str | Callable[[int], BaseSampler] | None = None
    point: str | Callable[[Space, int, int], dict[str, Any]] | None = None
    models_ratios: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if (self.make is None) == (self.point is None):
            raise ValueError(
                f"invalid row of a sampler: got make={self.make!r}, point={self.point!r}; expected one of them"
            )

    def sampler(self, seed: int) -> BaseSampler | None:
        """Return a fresh Optuna sampler; None for a sequence.

        Raises:
            UserError: A user's or another package's sampler cannot be created, or is not a sampler.
        """
        if self.make is None:
            return None
        place = self.make if isinstance(self.make, str) else getattr(self.make, "__qualname__", repr(self.make))
        try:
            made = load_named(self.make, "sampler", __package__)(seed)
        except UserError:
            raise
        except Exception as error:  # third-party code may raise anything
            raise UserError(
                f"sampler {place} cannot be created with a seed: got {one_line(error)}; expected an Optuna sampler"
            ) from error
        missing = [name for name in _SAMPLER if not hasattr(made, name)]
        if missing:
            raise UserError(
                f"sampler {place} returned no sampler: got {type(made).__name__} without {', '.join(missing)}; "
                "expected a class or function that takes a seed and returns an Optuna sampler"
            )
        return made

    def at(self, space: Space, seed: int, index: int) -> dict[str, Any]:
        """Return point `index` of a sequence over a space."""
        return load_named(self.point, "sampler", __package__)(space, seed, index)


def _adopt(reference: str, found: Any) -> SamplerSpec:
    """Return the row of a user's own sampler."""
    check_callable("sampler", reference, found, "takes a seed and returns an Optuna sampler")
    return SamplerSpec(cast(Any, found), note=first_line(found))


SAMPLERS: OpenTable[SamplerSpec] = OpenTable(
    "sampler",
    {
        "linear": SamplerSpec(
            ".optuna_mirror:tpe", models_ratios=True, note="ratios by a linear model of groups, the others as tpe"
        ),
        "tpe": SamplerSpec(".optuna_mirror:tpe", note="Optuna's tree-structured Parzen estimator"),
        "nsga2": SamplerSpec(".optuna_mirror:nsga2", note="Optuna's NSGA-II"),
        "gp": SamplerSpec(".optuna_mirror:gaussian_process", note="Optuna's Gaussian process"),
        "random": SamplerSpec(".optuna_mirror:uniform", note="independent draws"),
        # Optuna's own sequence stores its position in the study, which is created anew for each proposal.
        "qmc": SamplerSpec(point=".optuna_mirror:quasi_random", note="a scrambled Sobol sequence"),
    },
    group="ganprune.samplers",
    row_type=SamplerSpec,
    adopt=_adopt,
)
