"""Settings of the training recipe that a search may choose per trial, in addition to each method's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..gan_models.distillation.catalog import TERMS
from ..gan_models.files.errors import UserError
from ..gan_models.pruning.settings import Setting
from ..gan_models.training.recipe import Recipe

RECIPE = "recipe."  # prefix of these parameters' names
_WEIGHTS = (0.0, 1.0, 10.0)
# Name -> values that are tried in addition to the study's own. They are choices, not ranges: 0 means off, and has no
# place on a log scale.
RECIPE_SETTINGS: Mapping[str, tuple[float, ...]] = {
    "ema": (0.0, 0.02, 0.05, 0.1),
    "reconstruct_first": (0.0, 0.1, 0.25),
    **{f"distill_{name}": _WEIGHTS for name in TERMS.own},
    "distill_output": (10.0, 50.0),  # a student without any distillation is not worth a trial
    "distill_total_variation": (0.0, 0.1, 1.0),
}


def recipe_settings(recipe: Recipe, names: Sequence[str]) -> tuple[Setting, ...]:
    """Return the settings of a recipe that are searched; the first choice of each is the study's own value.

    Args:
        recipe: The study's recipe.
        names: Names in `RECIPE_SETTINGS`.

    Raises:
        UserError: A name is unknown.
    """
    found = []
    for name in names:
        if name not in RECIPE_SETTINGS:
            raise UserError(
                f"a setting of the recipe cannot be searched: got {name!r}; expected one of "
                f"{', '.join(RECIPE_SETTINGS)}. Try --search-recipe ema"
            )
        own = float(recipe.values()[name])
        found.append(Setting(name, own, choices=tuple(sorted({own, *RECIPE_SETTINGS[name]}))))
    return tuple(found)
