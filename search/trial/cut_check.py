"""The check of a cut network: it matches the plan, and its costs are counted on the network itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ...evaluators.cost.activation_memory import peak_activation_bytes
from ...evaluators.cost.counters import count_cost
from ...evaluators.measurement import Measurement
from ...gan_models.costs.catalog import cost_of, stored_cost
from ...gan_models.cut_checks.call_record import first_difference
from ...gan_models.cut_checks.comparison import compare
from ...gan_models.cut_checks.precision import precision_of
from ...gan_models.files.user_code import load_named
from ...gan_models.groups.surgery import copy_network, embedded
from ...gan_models.networks.value_ranges import in_own_ranges
from ...gan_models.pruning.method import Pruned
from ...gan_models.quantization.fake_quant import quantized_bytes
from ...gan_models.quantization.settings import FULL_BITS, QuantSettings
from ..preparations.opened_study import OpenedStudy
from ..records.messages import CostCheck, TrialRequest
from ..setup.pruned_generators import examples

PEAK = "peak_activation_bytes"
ROUNDING = 1e-9  # relative tolerance: a cost summed in another order counts as equal


class CutMismatch(RuntimeError):
    """An error: the cut network does not match its plan."""


@dataclass(frozen=True)
class CutCheck:
    """The costs of a cut network.

    Attributes:
        counted: Costs of one image by the names in budgets; costs that are not exact are predicted.
        costs: The same costs and the peak activation memory, as measurements.
        record: Operators that no count includes, and modules without a rule in the second counter.
    """

    counted: Mapping[str, float]
    costs: tuple[Measurement, ...]
    record: CostCheck


def cost_as_stored(cost: str, quantized: QuantSettings | None) -> str:
    """Return the cost form's name of a cost, as the network will be stored."""
    return stored_cost(cost, quantized.bits, quantized.per_channel) if quantized else cost


def peak_memory(model: nn.Module, inputs: tuple[Tensor, ...]) -> Measurement:
    """Return the peak activation memory of one image."""
    how = "largest sum of live tensors in an eager forward pass of one image, weights not counted"
    with in_own_ranges(model):
        peak = float(peak_activation_bytes(model, inputs))
    return Measurement(PEAK, peak, "bytes", protocol=how)


def check_cut(bench: OpenedStudy, pruned: Pruned, request: TrialRequest) -> CutCheck:
    """Return the costs of the cut network by an independent count, after checking that it matches its plan.

    Raises:
        CutMismatch: Predicted and counted costs differ, the cost is above the target, or gated and cut differ.
    """
    form = bench.groups.form
    widths = form.widths(pruned.plan.widths)
    inputs = examples(bench.config)
    cost = count_cost(pruned.model, inputs)
    counted = {
        "macs": float(cost.macs),
        "macs_published": float(cost.macs_published),
        "params": float(cost.params),
        "bytes": float(cost.bytes),
    }
    for name, value in counted.items():
        predicted = float(form.predict(widths, name))
        if predicted != value:
            raise CutMismatch(f"predicted {name} {predicted:.0f} is not the cut network's {value:.0f}")
    how = dict.fromkeys(counted, "counted on the cut network, one image")
    if pruned.quantized:
        predicted = float(form.predict(widths, cost_as_stored("bytes", pruned.quantized)))
        counted["bytes"] = float(quantized_bytes(pruned.model, pruned.quantized))
        how["bytes"] += f", stored in {pruned.quantized.bits} bits"
        if predicted != counted["bytes"]:
            raise CutMismatch(f"predicted bytes {predicted:.0f} are not the quantized network's {counted['bytes']:.0f}")
    costs = [Measurement(name, value, cost_of(name).unit, protocol=how[name]) for name, value in counted.items()]
    for measured in _priced_otherwise(bench, pruned, widths, inputs):
        name = measured.name.partition("[")[0]
        counted[name] = measured.value
        costs.append(measured)
    proposal = request.proposal
    if proposal.cost in counted and counted[proposal.cost] > proposal.target * (1 + ROUNDING):
        above = f"{counted[proposal.cost]:.6g} is above the target {proposal.target:.6g}"
        raise CutMismatch(f"{proposal.cost} {above}")
    _check_outputs(bench, pruned, changed=proposal.parent is not None)
    record = CostCheck(dict(cost.uncounted), dict(cost.missed_by_thop), cost.counters_agree)
    return CutCheck(counted, (*costs, peak_memory(pruned.model, inputs)), record)


def _priced_otherwise(
    bench: OpenedStudy, pruned: Pruned, widths: NDArray[np.int64], inputs: tuple[Tensor, ...]
) -> list[Measurement]:
    """Return the costs outside the cost form: counted on the network if they are exact, else predicted.

    Raises:
        CutMismatch: An exact cost differs from its prediction.
    """
    measured = []
    bits = pruned.quantized.bits if pruned.quantized else FULL_BITS
    for name in bench.prices.models:
        row = cost_of(name)
        predicted = float(bench.prices.predict(widths, cost_as_stored(name, pruned.quantized)))
        if row.count is not None:
            value = float(load_named(row.count, "cost")(pruned.model, inputs, pruned.quantized))
            if not math.isclose(predicted, value, rel_tol=1e-9):
                raise CutMismatch(f"predicted {name} {predicted:.6g} is not the cut network's {value:.6g}")
            stored = f", stored in {bits} bits" if pruned.quantized and row.depends_on_bits else ""
            how = f"counted on the cut network, one image{stored}"
            measured.append(Measurement(name, value, row.unit, protocol=how))
        else:
            measured.append(bench.profiles[name].predicted(predicted, bits))
    return measured


def _check_outputs(bench: OpenedStudy, pruned: Pruned, changed: bool) -> None:
    """Compare the cut network with the gated one of the same weights.

    The gated network has the teacher's weights if the network was only cut, and the network's own if it was trained or
    refitted since.

    Args:
        bench: The study.
        pruned: The network.
        changed: True if the network was cut from another one than the teacher.
    """
    groups, plan, inputs = bench.groups, pruned.plan, examples(bench.config)
    full = bench.joined(bench.generators)
    if changed or pruned.steps or any(done.kept for done in pruned.reconstructions.values()):
        try:
            full = embedded(copy_network(full).cpu(), copy_network(pruned.model).cpu(), groups, plan)
        except ValueError as error:
            raise CutMismatch(f"the network is not cut to its plan: {error}") from error
    precision = precision_of(full, inputs)
    exact = precision.network(full), precision.network(pruned.model)
    seen = compare(*exact, groups, plan, precision.inputs(inputs), precision)
    if not seen.same:
        line = first_difference(*exact, groups, plan, precision.inputs(inputs), precision)
        raise CutMismatch(
            f"the cut network's output differs from the gated one's by {seen.difference:.3g} of the largest"
            + (f", first at {line}" if line else "")
        )
