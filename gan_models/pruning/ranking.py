"""Channel scores, and the plan that they imply within a target; shared by all methods that learn widths."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from ..costs.channel_swap import exchanged
from ..costs.cost_form import CostForm, InfeasibleBudget
from ..files.errors import UserError
from ..groups.channel_groups import AxisChannels, ChannelGroups
from ..groups.plan import ChannelPlan
from ..plan_scores.score_table import ScoreTable, score_table
from ..reconstruction.channel_scores import PROBES, probed_scores
from ..training.compute import BACKWARD, PassCount
from .catalog import method_spec
from .method import PruneJob, Target

Scores = Mapping[str, NDArray[np.float64]]
SCORE_TABLE = "score_table"  # name of the preparation
_INPUTS_HINT = "Try --calibration-images 64, or calibration= of ganprune.prune"


def ranked(job: PruneJob) -> Scores:
    """Return the scores by which a method keeps channels, of every group, according to its setting `ranking`.

    Args:
        job: The job, whose settings have `ranking`; `auto` is `schur` if the job has calibration inputs, else `l1`.

    Returns:
        Group name -> float64 [size], mean 1 in each group: groups are compared by the spread of their channels.

    Raises:
        UserError: The ranking needs calibration inputs, and there are none.
    """
    kind = _kind(job)
    if kind in ("l1", "l2"):
        return (l1_scores if kind == "l1" else l2_scores)(job.model, job.groups)
    if job.calibration is None:
        raise UserError(f"ranking {kind} needs inputs: got none; expected calibration inputs. {_INPUTS_HINT}")
    known = job.calibration.scores.setdefault(job.model, {})
    if kind not in known:
        with PassCount() as one_pass:  # memory of one input, which limits the number of inputs
            inputs = job.calibration.fitting(job.model)
        if kind == "schur":
            table = table_of(job)
            found = {name: group.channel_scores for name, group in table.groups.items() if group.how == "schur"}
        else:
            found = probed_scores(job.model, job.groups, inputs, job.calibration.seed)
        passes = len(inputs[0]) * (1 if kind == "schur" else 1 + BACKWARD * PROBES)
        job.calibration.macs.setdefault(job.model, {})[kind] = one_pass.macs * (1 + passes)
        known[kind] = l1_scores(job.model, job.groups) | {name: _to_mean_one(score) for name, score in found.items()}
    return known[kind]


def ranking_macs(job: PruneJob) -> int:
    """Return the multiply-accumulates of `ranked`'s passes, even if another trial made them; call it after `ranked`."""
    return 0 if job.calibration is None else job.calibration.macs.get(job.model, {}).get(_kind(job), 0)


def _kind(job: PruneJob) -> str:
    """Return the ranking in the settings; `auto` is `schur` if the job has calibration inputs, else `l1`."""
    kind = getattr(job.proposal.settings, "ranking", "auto")
    if kind == "auto":
        return "l1" if job.calibration is None else "schur"
    return kind


def table_of(job: PruneJob) -> ScoreTable:
    """Return the score table of a job's generator: the study's, or a new one.

    Raises:
        UserError: The job has no calibration inputs.
    """
    if job.calibration is None:
        method = job.proposal.method
        raise UserError(f"method {method} needs inputs: got none; expected calibration inputs. {_INPUTS_HINT}")
    if job.prepared is None or SCORE_TABLE not in method_spec(job.proposal.method).preparations:
        return score_table(job.model, job.groups, job.calibration)
    return job.prepared(SCORE_TABLE)(job.model, job.groups, job.calibration)


def l1_scores(model: nn.Module, groups: ChannelGroups) -> dict[str, NDArray[np.float64]]:
    """Return the importance of every channel by the L1 norm of the weights that write and read it.

    Li et al. 2017 rank filters by the L1 norm of the weights that write them. A norm after the convolution makes that
    independent of scale, so weights that read a channel also count (original to ganprune). Each tensor's norms are
    relative to their mean over channels, so that layers of different fan-in can be added.

    Returns:
        Group name -> float64 [size], mean 1 in each group.
    """
    return _norm_scores(model, groups, 1, relative=True)


def l2_scores(model: nn.Module, groups: ChannelGroups) -> dict[str, NDArray[np.float64]]:
    """Return the importance of every channel by the squared L2 norm of all weights that write and read it.

    The group norm of DepGraph (Fang et al. 2023) without its scales of norms: squares are added without scaling, so
    that layers of large weights dominate.

    Returns:
        Group name -> float64 [size], mean 1 in each group.
    """
    return _norm_scores(model, groups, 2, relative=False)


def _norm_scores(model: nn.Module, groups: ChannelGroups, power: int, relative: bool) -> dict[str, NDArray[np.float64]]:
    tensors = dict(model.named_parameters())
    sites = [*groups.writes, *(gate for gate, _ in groups.gates)]
    total = np.zeros(1 + sum(groups.sizes.values()))
    for site in sites:
        if site.parameter in tensors:
            total += _norms(site, tensors[site.parameter], len(total), power, relative)
    return {
        name: _to_mean_one(total[1 + groups.offsets[name] : 1 + groups.offsets[name] + size])
        for name, size in groups.sizes.items()
    }


def _norms(site: AxisChannels, tensor: torch.Tensor, n: int, power: int, relative: bool) -> NDArray[np.float64]:
    """Return the summed powers of a tensor's entries by channel [n], divided by their mean if `relative`."""
    if tensor.ndim < 2:
        return np.zeros(n)
    axes = [axis for axis in range(tensor.ndim) if axis != site.axis]
    norms = tensor.detach().abs().pow(power).sum(axes).double().cpu().numpy()
    if relative:
        norms = norms / max(norms.mean(), 1e-30)
    summed = np.bincount(site.flat, weights=norms, minlength=n).astype(np.float64)
    summed[0] = 0.0
    return summed


def _to_mean_one(values: NDArray[np.float64]) -> NDArray[np.float64]:
    mean = values.mean()
    return values / mean if mean > 0 else np.ones_like(values)


def strongest(widths: Mapping[str, int], scores: Scores) -> ChannelPlan:
    """Return the plan of these widths that keeps the channels with the highest scores of each group."""
    order = {name: np.argsort(-score, kind="stable") for name, score in scores.items()}
    return ChannelPlan({name: tuple(np.sort(order[name][:width]).tolist()) for name, width in widths.items()})


def channel_costs(form: CostForm, cost: str) -> NDArray[np.float64]:
    """Return the share of the dense cost [G] that one channel of each group has at full width."""
    return form.gradient(form.sizes, cost) / form.dense(cost)


def widths_at(form: CostForm, ordered: list[NDArray[np.float64]], threshold: float) -> NDArray[np.int64]:
    """Return the widths [G] that keep every channel whose score is at or above a threshold; scores in falling order."""
    return np.array([np.searchsorted(-scores, -threshold, side="right") for scores in ordered], dtype=np.int64)


def check_feasible(form: CostForm, target: Target) -> None:
    """Raise InfeasibleBudget if even the smallest plan costs more than the target."""
    smallest = cost_of(form, form.floors(target.floor, target.multiple), target)
    if smallest > target.value:
        raise InfeasibleBudget(
            f"target {target.value:g} {target.cost} cannot be met: the smallest plan costs {smallest:g}. Try a larger "
            f"budget"
        )


def plan_within_target(form: CostForm, scores: Scores, target: Target) -> ChannelPlan:
    """Return the plan of the highest scores whose cost is at or under the target, and close to it.

    One threshold on all scores is found by bisection, or by trying all if a model prices plans. Then the best channels
    below it are added one by one while they fit. Scores of different groups are compared without scaling.

    Raises:
        InfeasibleBudget: Even the smallest plan costs more than the target.
    """
    check_feasible(form, target)
    ordered = [np.sort(np.asarray(scores[name], dtype=np.float64))[::-1] for name in form.names]
    smallest = form.floors(target.floor, target.multiple)

    def at(threshold: float) -> NDArray[np.int64]:
        return form.fit(widths_at(form, ordered, threshold), target.floor, target.multiple)

    levels = np.unique(np.concatenate(ordered))  # ascending: a higher threshold keeps fewer channels
    if target.model is not None:
        widths = _scan(form, ordered, levels, target)
    else:
        low, high = -1, len(levels)  # the cost at `high` (all dropped) fits; that at `low` (all kept) may not
        while high - low > 1:
            middle = (low + high) // 2
            if float(form.predict(at(levels[middle]), target.cost)) <= target.value:
                high = middle
            else:
                low = middle
        widths = at(levels[high]) if high < len(levels) else smallest
    widths = _add_best(form, ordered, widths, target)
    return strongest(dict(zip(form.names, widths.tolist(), strict=True)), scores)


def _scan(
    form: CostForm, ordered: list[NDArray[np.float64]], levels: NDArray[np.float64], target: Target
) -> NDArray[np.int64]:
    """Return the widths [G] of the plan with the most channels within the target, among all thresholds' plans.

    A model's cost may fall as channels are added, so thresholds cannot be bisected.
    """
    kept = [np.searchsorted(-scores, -levels, side="right") for scores in ordered]
    plans = form.fit(np.stack(kept, axis=1), target.floor, target.multiple)
    plans = np.concatenate([form.floors(target.floor, target.multiple)[None], plans])
    assert target.model is not None
    fitting = plans[target.model.predict(plans, target.cost) <= target.value]
    return fitting[np.argmax(fitting.sum(axis=1))]


def _add_best(
    form: CostForm, ordered: list[NDArray[np.float64]], widths: NDArray[np.int64], target: Target
) -> NDArray[np.int64]:
    """Add the best next channels that still fit, until 0.2 % of the target is left, or swap some."""
    priced, widths = target.model or form, widths.copy()
    while float(priced.predict(widths, target.cost)) < 0.998 * target.value:
        steps = np.minimum(widths - widths % target.multiple + target.multiple, form.sizes) - widths
        fits = (priced.predict(widths + np.diag(steps), target.cost) <= target.value) & (steps > 0)
        if not fits.any():
            other = exchanged(form, widths, target.value, target.cost, target.floor, target.multiple, target.model)
            if other is None:
                break
            widths = other
            continue
        following = np.array(
            [scores[width] if ok else -np.inf for scores, width, ok in zip(ordered, widths, fits, strict=True)]
        )
        widths[int(np.argmax(following))] += steps[int(np.argmax(following))]
    return widths


def cost_of(form: CostForm, widths: ArrayLike, target: Target) -> float:
    """Return the cost of one plan's widths [G] in the target's unit."""
    return float((target.model or form).predict(widths, target.cost))
