"""Pruning methods by name. Imports no torch, so that the search space and the command line can read it.

A row of another package comes through the entry-point group `ganprune.methods` and is a `MethodSpec`. A user's own
method is named by path, `package.module:name` or `file.py:name`: a class (or an object) with `prune(job)` and, unless
it has none, `settings`, its settings class. It may state `widths` ("given" or "learned", the default), `trains`,
`refits` and `preparations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..files.errors import UserError, WorkFailed
from ..files.open_table import OpenTable
from ..files.user_code import UserCodeFailed, failed, first_line, load_named, one_line
from .method import Method, MethodSpec, Pruned, PruneJob
from .settings import NoSettings, Setting, settings_of

if TYPE_CHECKING:
    from torch import nn

    from ..groups.channel_groups import ChannelGroups

TRAINED = "bytes in training"  # the column of `method_sizes` that has to fit into memory


def _adopt(reference: str, found: Any) -> MethodSpec:
    """Return the row of a user's own method.

    Raises:
        UserError: It has no `prune`, or its settings or its `widths` are invalid.
    """
    if not callable(getattr(found, "prune", None)):
        raise UserError(
            f"method {reference!r} cannot prune: got {type(found).__name__} without prune; "
            "expected a class with prune(job) and settings"
        )
    settings, widths = getattr(found, "settings", NoSettings), getattr(found, "widths", "learned")
    if widths not in ("given", "learned"):
        raise UserError(f"method {reference!r} has invalid widths: got {widths!r}; expected given or learned")
    try:
        settings_of(settings)
    except UserError as error:
        raise UserError(f"method {reference!r}: {error}") from error
    return MethodSpec(
        reference,
        widths,
        settings,
        trains=bool(getattr(found, "trains", False)),
        preparations=tuple(getattr(found, "preparations", ())),
        refits=bool(getattr(found, "refits", False)),
        note=first_line(found),
    )


METHODS: OpenTable[MethodSpec] = OpenTable(
    "method",
    {
        "uniform": MethodSpec(
            ".baselines:Uniform",
            "given",
            ".baseline_settings:RankingSettings",
            refits=True,
            note="the same share of every group; the strongest channels are kept",
        ),
        "widths": MethodSpec(
            ".baselines:GivenWidths",
            "given",
            ".baseline_settings:RankingSettings",
            searches_ratios=True,
            refits=True,
            note="one share per group from the search space; the strongest channels are kept",
        ),
        "magnitude": MethodSpec(
            ".baselines:Magnitude",
            "learned",
            ".baseline_settings:MagnitudeSettings",
            refits=True,
            note="global ranking of all channels by L1 norm per MAC",
        ),
        "reconstruct": MethodSpec(
            ".reconstruct.method:Reconstruct",
            "learned",
            ".reconstruct.settings:ReconstructSettings",
            preparations=("score_table",),
            starts_from_plans=True,
            refits=True,
            calibrated=True,
            note="widths of the lowest error after cut and refit, before any training: solver, then local search",
        ),
        "coronet": MethodSpec(
            ".coronet.method:Coronet",
            "learned",
            ".coronet.settings:CoronetSettings",
            trains=True,
            sizes=".coronet.generated_weights:size_rows",
            note="a hypernetwork generates the weights from one latent per channel; l1 on the latents while the GAN "
            "trains",
        ),
        "slimming": MethodSpec(
            ".slimming.method:Slimming",
            "learned",
            ".slimming.settings:SlimmingSettings",
            trains=True,
            note="GAN Slimming: channel scales shrink to zero while the network is distilled from its teacher",
        ),
        "mggc": MethodSpec(
            ".mggc.method:Mggc",
            "learned",
            ".mggc.settings:MggcSettings",
            trains=True,
            preparations=("manifold",),
            note="two collaborating agents prune generator and discriminator, preserving local density",
        ),
    },
    group="ganprune.methods",
    row_type=MethodSpec,
    adopt=_adopt,
)


def method_spec(name: str) -> MethodSpec:
    """Return the row of a name, or of a user's own method by path.

    Raises:
        UserError: The name is unknown; the message lists the known ones.
    """
    return METHODS.find(name)


def check_fixed(settings: Mapping[str, Any]) -> None:
    """Check settings that a study fixes, by "method.setting"; they are then not searched.

    Raises:
        UserError: A setting is unknown, or its value is not allowed.
    """
    for name, value in settings.items():
        found = _setting_of(name)
        if not found.allows(value):
            raise UserError(f"invalid setting {name}: got {value}; expected {found.allowed}")


def _setting_of(name: str) -> Setting:
    """Return the setting of a name "method.setting"; a method by path has dots of its own."""
    method, _, own = name.rpartition(".")
    if not method or (method not in METHODS and ":" not in method):
        raise UserError(f"unknown setting: got {name!r}; expected METHOD.NAME, METHOD one of {', '.join(METHODS)}")
    known = {setting.name: setting for setting in METHODS.find(method).all_settings}
    if own not in known:
        names = ", ".join(f"{method}.{other}" for other in known)
        expected = f"one of {names}" if names else f"none, as {method} has no settings"
        raise UserError(f"unknown setting: got {name!r}; expected {expected}")
    return known[own]


def fixed_for(method: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of these settings that belong to a method, without its name."""
    prefix = f"{method}."
    return {name.removeprefix(prefix): value for name, value in settings.items() if name.startswith(prefix)}


def make_method(name: str) -> Method:
    """Return the method. Raises UserError for an unknown name."""
    reference = method_spec(name).implementation
    found = load_named(reference, "method", __package__)
    return found() if isinstance(found, type) or not hasattr(found, "prune") else found


def run_method(name: str, job: PruneJob) -> Pruned:
    """Return the result of a method; the result of a user's or another package's method is checked.

    Args:
        name: A name of the table, or an object by path.
        job: The job. Weights of its model that the method changed are restored, because other trials use the same
            teacher.

    Raises:
        UserError: The name is unknown, or the method refuses an input.
        UserCodeFailed: A user's or another package's method raises, returns anything but a cut network with a plan of
            the job's groups, or changes the teacher's weights.
    """
    from ..checkpoints.kept_weights import copied_weights, put_back  # imports torch

    method = make_method(name)
    if name in METHODS.own:
        return method.prune(job)
    before = copied_weights(job.model)
    what, own = f"method {name}", "Try cut(job.model, job.groups, plan), which makes a copy"
    try:
        pruned = method.prune(job)
    except (UserError, WorkFailed):
        raise
    except Exception as error:  # a user's code may raise anything
        raise failed(what, error) from error
    finally:
        changed = put_back(job.model, before)
    if changed:
        raise UserCodeFailed(
            f"{what} changed the teacher's weights: got other values of {changed}; expected job.model as it was. {own}"
        )
    if not isinstance(pruned, Pruned):
        raise UserCodeFailed(
            f"{what} returned another object: got {type(pruned).__name__}; expected "
            f"ganprune.gan_models.pruning.method.Pruned. Try Pruned(cut(job.model, job.groups, plan), plan)"
        )
    if pruned.model is job.model:
        raise UserCodeFailed(f"{what} returned the teacher itself: got job.model; expected a cut network. {own}")
    try:
        job.groups.mask(pruned.plan)
    except (ValueError, AttributeError, TypeError) as error:
        raise UserCodeFailed(
            f"{what} returned a plan that does not fit the network: got {one_line(error)}; expected a ChannelPlan with "
            "kept channels of each of job.groups.names. Try plan_within_target(job.groups.form, scores, job.target)"
        ) from error
    return pruned


def method_sizes(name: str, model: nn.Module, groups: ChannelGroups) -> list[dict[str, int]]:
    """Return a method's memory in addition to the networks, by setting; empty if it is negligible.

    Raises:
        UserError: The name is unknown.
    """
    sizes = method_spec(name).sizes
    if not sizes:
        return []
    return load_named(sizes, "method sizes", __package__)(model, groups)
