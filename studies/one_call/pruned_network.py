"""The pruning of one network in one call: to a budget, by a method that does not train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...gan_models.costs.catalog import COSTS
from ...gan_models.cut_checks.comparison import compare
from ...gan_models.cut_checks.precision import precision_of
from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.user_code import one_line
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.groups.surgery import copy_network, embedded
from ...gan_models.pruning.catalog import METHODS, method_spec, run_method
from ...gan_models.pruning.method import MethodSpec, PruneJob
from ...gan_models.pruning.method import Pruned as MethodResult
from ...gan_models.reconstruction.calibration import Calibration
from ...gan_models.reconstruction.reconstruction import reconstruct
from ...gan_models.reconstruction.record import Reconstruction
from ...spaces.budget import Budgets, describe
from .example_inputs import Inputs, calibration_inputs
from .exported_files import ExportedFiles, export
from .inspection import Table
from .prune_job import Given, job_of
from .traced_network import TracedNetwork, trace


@dataclass(frozen=True)
class CostChange:
    """One cost before and after.

    Attributes:
        name: As budgets name it: `macs`, `params`, `bytes`, ...
        dense: Of the network that was given, for one input.
        pruned: Of the pruned network.
    """

    name: str
    dense: float
    pruned: float

    @property
    def share(self) -> float:
        """The part of the dense cost that is left."""
        return self.pruned / self.dense if self.dense else 1.0


@dataclass(frozen=True, repr=False)
class Pruned:
    """A pruned network.

    Attributes:
        model: An ordinary, smaller network: of the class that was given, on its device and in its mode, to be trained
            and saved like any other.
        plan: The kept channels by group; exported files contain it, and `ChannelPlan.from_json` reads it.
        costs: Cost name -> its value before and after.
        method: The method's name.
        budgets: The budgets as they were given.
        notes: Notes for the user.
        reconstruction: What refitting to the calibration inputs changed; None without any.
        example_inputs: The inputs that the network was traced with, for `export`.
    """

    model: nn.Module
    plan: ChannelPlan
    costs: Mapping[str, CostChange]
    method: str
    budgets: tuple[str, ...]
    notes: tuple[str, ...]
    reconstruction: Reconstruction | None
    example_inputs: tuple[Tensor, ...]

    def export(self, path: str | Path, overwrite: bool = False) -> ExportedFiles:
        """Write the network's files into a folder, as `ganprune.export` does."""
        return export(self.model, self.plan, path, self.example_inputs, overwrite=overwrite)

    @property
    def title(self) -> str:
        """The network, the budget and the method as one line."""
        given = ", ".join(self.budgets) or "given widths"
        return f"{type(self.model).__name__} pruned to {given} by {self.method}"

    @property
    def table(self) -> Table:
        """The costs before and after."""
        rows = tuple(
            (cost.name, describe(cost.dense, cost.name), describe(cost.pruned, cost.name), f"{cost.share:.1%}")
            for cost in self.costs.values()
        )
        return Table(("cost of one input", "dense", "pruned", "left"), rows)

    def __repr__(self) -> str:
        return "\n".join([self.title, self.table.text, *(f"note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        """Return the costs and notes for a notebook."""
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return f"<p>{escape(self.title)}</p>{self.table.html}<ul>{notes}</ul>"


def prune(
    model: nn.Module,
    example_inputs: Inputs,
    budget: str | Sequence[str] = (),
    *,
    method: str = "uniform",
    keep: Sequence[str] = (),
    calibration: Any = None,
    settings: Mapping[str, Any] | None = None,
    ratios: Mapping[str, float] | None = None,
    widths: Mapping[str, int] | None = None,
    multiple: int = 1,
    convention: str = "exact",
    seed: int = 0,
    check: bool = True,
) -> Pruned:
    """Prune a network to a budget. The given network is not changed, and nothing is trained.

    Args:
        model: Any network of which `torch.export` can make a graph.
        example_inputs: A tensor, or a tuple of tensors in the order of forward, batch axis first.
        budget: `30%` of its MACs at the size of the example inputs, `2.5GMACs`, `5GFLOPs`, `1.2Mparams`, `2MB`, or
            another unit that needs no profile of a device; or several, all of which are met. With `widths` it may be
            left out.
        method: `uniform`, `widths`, `magnitude`, `reconstruct` (needs calibration inputs), or another method that does
            not train, also by path `file.py:Name`.
        keep: Shell patterns of groups, and of modules whose output channels all stay; see `ganprune.inspect`.
        calibration: Training inputs without labels: a tensor, a tuple of tensors, or an iterable of batches such as a
            `DataLoader`, of which 64 entries are taken. With them, channels are ranked by the loss at their
            removal, and the cut network is refitted to the outputs of every layer.
        settings: Settings of the method, by name.
        ratios: For `widths`: shell pattern of groups -> width relative to the others; 1 for groups without one.
        widths: For `widths`, instead of ratios: shell pattern of groups -> channels; others stay whole.
        multiple: Widths are multiples of this, or full.
        convention: `exact` or `published`: the meaning of MACs and percentages.
        seed: Seed of all random numbers.
        check: First cut the network to random plans and compare outputs and costs; groups that break are not pruned.

    Raises:
        UserError: The network cannot be traced or has nothing to prune, the budget cannot be met, or an argument is
            not understood.
        WorkFailed: The method failed or is over budget, or its network does not match its plan.
    """
    spec = _untrained(method, calibration is not None)
    texts = (budget,) if isinstance(budget, str) else tuple(budget)
    budgets = Budgets.parse(texts, convention) if texts or widths is None else Budgets((), convention)
    for cost in budgets.profiled:
        raise UserError(
            f"a budget in {COSTS.find(cost).unit} needs a profile of a device: got {', '.join(budgets.texts)}; "
            "expected MACs, parameters, bytes or a percentage. Try ganprune search"
        )
    traced = trace(model, example_inputs, keep, budgets.costs, check)
    if not traced.groups.groups:
        raise UserError(
            f"{traced.name} has nothing to prune: got no group of channels; expected one. Try ganprune.inspect, which "
            "names the reason of each module"
        )
    inputs = None if calibration is None else calibration_inputs(calibration, traced.examples)
    calibrated = None if inputs is None else Calibration(lambda: inputs, seed)
    given = Given(spec, method, settings or {}, ratios, widths)
    job = job_of(traced, given, budgets, multiple, seed, calibrated)
    result = _cut(job, method)
    reconstruction = None
    if inputs is not None and spec.refits and getattr(job.proposal.settings, "refit", True):
        reconstruction = reconstruct(job.model, result.model, traced.groups, result.plan, inputs, seed)
    _check(traced, job, result, reconstruction)
    place = next((x.device for x in (*model.parameters(), *model.buffers())), None)
    pruned = result.model.train(model.training)
    return Pruned(
        model=pruned if place is None else pruned.to(place),
        plan=result.plan,
        costs=_costs(traced, result),
        method=method,
        budgets=budgets.texts,
        notes=(*budgets.notes, *_notes(traced, spec, reconstruction), *result.notes),
        reconstruction=reconstruction,
        example_inputs=traced.examples.tensors,
    )


def _untrained(method: str, calibrated: bool) -> MethodSpec:
    """Return the row of a method. Raises UserError: It is unknown, trains, or lacks calibration inputs."""
    spec = method_spec(method)
    if spec.trains:
        names = ", ".join(name for name, row in METHODS.usable() if not row.trains)
        raise UserError(
            f"method {method} needs a study: got one call without data and losses; expected one of {names}. Try "
            f"ganprune search --methods {method}"
        )
    if spec.calibrated and not calibrated:
        raise UserError(
            f"method {method} needs calibration inputs: got none; expected training inputs without labels. Try "
            "calibration=images, 64 of them"
        )
    return spec


def _cut(job: PruneJob, method: str) -> MethodResult:
    """Return the result of the method. Raises WorkFailed: It fails; UserError: It refuses its inputs."""
    try:
        return run_method(method, job)
    except UserError:
        raise
    except Exception as error:
        text = str(error) if isinstance(error, WorkFailed) else f"method {method} failed: {one_line(error)}"
        needed = ", ".join(method_spec(method).preparations)
        advice = f"; expected {needed} of a study. Try ganprune search --methods {method}" if needed else ""
        raise WorkFailed(f"{text}{advice}") from error


def _check(traced: TracedNetwork, job: PruneJob, result: MethodResult, refitted: Reconstruction | None) -> None:
    """Compare the pruned network with the gated one, and its cost with the target. Raises WorkFailed."""
    form = traced.groups.form
    cost = float((job.target.model or form).predict(form.widths(result.plan.widths), job.target.cost))
    if cost > job.target.value * (1 + 1e-9):
        raise WorkFailed(f"the pruned network costs {cost:.6g} {job.target.cost}, above {job.target.value:.6g}")
    full, one = traced.network, tuple(x[:1] for x in traced.examples.tensors)
    if refitted is not None and refitted.kept:
        full = embedded(copy_network(full), copy_network(result.model), traced.groups, result.plan)
    precision = precision_of(full, one)
    same = compare(
        precision.network(full),
        precision.network(result.model),
        traced.groups,
        result.plan,
        precision.inputs(one),
        precision,
    )
    if not same.same:
        raise WorkFailed(
            f"the pruned network is not the one that was planned: its output differs by {same.difference:.3g} of the "
            "largest from that of the network with its other channels left out"
        )


def _costs(traced: TracedNetwork, result: MethodResult) -> dict[str, CostChange]:
    dense, widths = traced.prices.dense(), traced.groups.form.widths(result.plan.widths)
    return {name: CostChange(name, dense[name], float(traced.prices.predict(widths, name))) for name in dense}


def _notes(traced: TracedNetwork, spec: MethodSpec, refitted: Reconstruction | None) -> list[str]:
    notes = [f"{name} is not pruned: {reason.text}" for name, reason in traced.pinned.items()]
    if refitted is None:
        if spec.refits:
            notes.append(
                "nothing was refitted: give calibration inputs, and the weights that stay take over what they can"
            )
    elif refitted.kept:
        notes.append(
            f"refitted {refitted.refitted} layers on {refitted.inputs} inputs: on unseen ones the squared error of "
            f"the outputs, relative to their variance, fell from {refitted.before:.3g} to {refitted.after:.3g}"
        )
    else:
        notes.append(f"the plain cut was kept: {refitted.why}")
    return [*notes, *([refitted.note] if refitted is not None and refitted.note else [])]
