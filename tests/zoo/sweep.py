"""The sweep over the zoo: each network traced, cut by uneven plans, refitted, counted, exported.

`make zoo` prints the table.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.evaluators.cost.counters import count_cost
from ganprune.gan_models.export.exporter import ExportJob
from ganprune.gan_models.export.onnx_float import write_onnx
from ganprune.gan_models.groups.channel_groups import ChannelGroups
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.pruning.gates import gated_call, plan_gates
from ganprune.gan_models.reconstruction.reconstruction import RefitOptions, reconstruct
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ..gan_models.random_cuts import lively
from .catalog import FAMILIES, ZOO
from .entry import Entry
from .known import KNOWN

PLANS = 3
REFIT_INPUTS = 8
ROUNDING, ROUNDING_32 = 1e-9, 1e-4  # of cut and gated, relative to the largest output, in float64 and float32
ONNX_SAME = 1e-4  # relative to the largest output: float32 in another order of sums


@dataclass
class Found:
    """Findings of the sweep on one network.

    Attributes:
        name: Of the entry.
        macs: At full width, by the independent counter.
        by_hand, share: Prunable shares of the MACs.
        worst: Largest relative difference of cut and gated over all plans; None if none could be cut.
        weights, refitted: Weights of convolutions and linear layers of a cut network, and those that a refit changed.
        onnx: Largest relative difference of the ONNX file and the cut network; None if there is none.
        failures: One line each.
    """

    name: str
    macs: int = 0
    by_hand: float = 0.0
    share: float = 0.0
    worst: float | None = None
    weights: int = 0
    refitted: int = 0
    onnx: float | None = None
    failures: list[str] = field(default_factory=list)


def uneven_plan(groups: ChannelGroups, seed: int) -> ChannelPlan:
    """A plan that takes at least one channel of each group, and a number of its own."""
    draw = np.random.default_rng(seed)
    widths = {g.name: int(draw.integers(1, g.size)) for g in groups.groups}
    return ChannelPlan({g.name: sorted(draw.choice(g.size, widths[g.name], replace=False)) for g in groups.groups})


def build(entry: Entry) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The network with lively weights, and a batch of two; in float32 if it cannot run in float64."""
    torch.manual_seed(zlib.crc32(entry.name.encode()))
    model = lively(entry.make())
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter)
    inputs = InputSpec.parse(entry.inputs).examples(2)
    kind = torch.float32 if entry.in_float32 else torch.float64
    return model.to(kind), tuple(x.to(kind) if x.is_floating_point() else x for x in inputs)


def outputs(run: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    """All tensors that a call gives, with the random numbers of other such calls."""
    torch.manual_seed(0)
    with torch.no_grad():
        return tree_leaves(run(*inputs))


def difference(found: Iterable[Tensor], expected: Iterable[Tensor]) -> float:
    """The largest difference relative to the largest output; infinite where shapes differ or a number is none."""
    worst = 0.0
    for a, b in zip(found, expected, strict=True):
        if a.shape != b.shape or not bool((a.isfinite() & b.isfinite()).all()):
            return float("inf")
        worst = max(worst, float((a - b).abs().max() / b.abs().max().clamp(min=1e-12)))
    return worst


def _cuts(entry: Entry, found: Found, model: nn.Module, groups: ChannelGroups, inputs: tuple[Tensor, ...]) -> None:
    one = tuple(x[:1] for x in inputs)
    for seed in range(PLANS):
        plan = uneven_plan(groups, seed)
        small = cut(model, groups, plan)
        gates = plan_gates(
            groups,
            plan,
            inputs[0] if inputs[0].is_floating_point() else torch.zeros((), dtype=next(model.parameters()).dtype),
        )
        expected = outputs(lambda *x, g=gates: gated_call(model, groups, g, *x), inputs)
        found.worst = max(found.worst or 0.0, difference(outputs(small, inputs), expected))
        predicted, counted = float(groups.form.predict(groups.form.widths(plan.widths))), count_cost(small, one).macs
        if predicted != counted:
            found.failures.append(f"predicted {predicted:.0f} MACs of plan {seed}, counted {counted}")
    if found.worst is not None and not found.worst <= (ROUNDING_32 if entry.in_float32 else ROUNDING):
        found.failures.append(f"cut and gated differ by {found.worst:.2g}")


def _refit(entry: Entry, found: Found, model: nn.Module, groups: ChannelGroups) -> None:
    """Refit the first cut: whatever the network's code does, it must be possible to watch it."""
    plan, kind = uneven_plan(groups, 0), next(model.parameters()).dtype
    inputs = tuple(
        x.to(kind) if x.is_floating_point() else x for x in InputSpec.parse(entry.inputs).examples(REFIT_INPUTS)
    )
    done = reconstruct(model, cut(model, groups, plan), groups, plan, inputs, 0, RefitOptions(rows=100))
    found.weights, found.refitted = len(done.layers), done.refitted
    if done.fault or not done.layers:
        found.failures.append(f"a cut cannot be refitted: {done.why}")


def examine(name: str) -> Found:
    """Trace a network of the zoo, cut it by three uneven plans, and compare everything."""
    entry = ZOO[name]
    found = Found(name, by_hand=entry.share)
    try:
        model, inputs = build(entry)
        one = tuple(x[:1] for x in inputs)
        found.macs = count_cost(model, one).macs
        if found.macs != entry.dense:
            found.failures.append(f"{entry.dense:.0f} MACs by hand, counted {found.macs}")
        groups = find_groups(model, one)
        found.share = 1 - groups.form.cheapest() / groups.form.dense()
        if found.share < entry.share - 1e-9:
            stays = "; ".join(
                f"{u.module}: {u.reason}"
                for u in groups.unpruned
                if u.reason.code not in ("reads_input", "writes_output")
            )
            found.failures.append(f"{found.share:.1%} prunable, {entry.share:.1%} by hand ({stays[:300]})")
        _cuts(entry, found, model, groups, inputs)
        if groups.groups:
            _refit(entry, found, model, groups)
    except Exception as error:  # a network of the zoo may break anything
        found.failures.append(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    return found


class Joint(nn.Module):
    """Several networks as one, which takes the inputs of all: exporting costs a second, however small the network."""

    def __init__(self, networks: Sequence[nn.Module], counts: Sequence[int]) -> None:
        super().__init__()
        self.networks, self.counts = nn.ModuleList(networks), tuple(counts)

    @classmethod
    def of(cls, networks: Sequence[nn.Module], counts: Sequence[int]) -> Joint:
        """Return the network; its forward names each input, as exporters that leave the batch free need."""
        names = ", ".join(f"input{i}" for i in range(sum(counts)))
        made: dict[str, Any] = {}
        exec(f"def forward(self, {names}): return self.run({names})", made)
        return type("Joint", (cls,), {"forward": made["forward"]})(networks, counts).eval()

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """All outputs of all networks."""
        given = iter(inputs)
        return tuple(
            output
            for network, count in zip(self.networks, self.counts, strict=True)
            for output in tree_leaves(network(*[next(given) for _ in range(count)]))
        )


def _exported(networks: Sequence[tuple[nn.Module, tuple[Tensor, ...]]], free_batch: bool) -> list[Tensor]:
    """Return what ONNX Runtime gives for networks in one file."""
    joint = Joint.of([network for network, _ in networks], [len(inputs) for _, inputs in networks])
    inputs = tuple(x for _, given in networks for x in given)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        write_onnx(ExportJob(joint, inputs, tuple(f"input{i}" for i in range(len(inputs))), free_batch), path)
        return [torch.from_numpy(a) for a in RUNTIMES.find("onnxruntime").open(path)(*(x.numpy() for x in inputs))]


def _cut_in_float32(entry: Entry) -> tuple[nn.Module, tuple[Tensor, ...]]:
    model, inputs = build(entry)
    groups = find_groups(model, tuple(x[:1] for x in inputs))
    small = cut(model, groups, uneven_plan(groups, 0)).float()
    return small, tuple(x.float() if x.is_floating_point() else x for x in inputs)


def examine_onnx(names: Sequence[str]) -> list[Found]:
    """Export networks of the zoo, cut by an uneven plan, and run the file: all in one, or each alone if that fails.

    All take batches of any size, or all one example at a time.
    """
    found = [Found(name) for name in names]
    if not names:
        return found
    free_batch = not ZOO[names[0]].one_at_a_time
    try:
        cuts = [_cut_in_float32(ZOO[name]) for name in names]
        if not free_batch:
            cuts = [(small, tuple(x[:1] for x in inputs)) for small, inputs in cuts]
        expected = [outputs(small, inputs) for small, inputs in cuts]
        given = iter(_exported(cuts, free_batch))
        for one, wanted in zip(found, expected, strict=True):
            one.onnx = difference([next(given) for _ in wanted], wanted)
    except Exception as error:  # of the exporter, or of the runtime
        if len(names) > 1:
            return [one for name in names for one in examine_onnx([name])]
        found[0].failures.append(f"ONNX: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    for one in found:
        if one.onnx is not None and not one.onnx <= ONNX_SAME:
            one.failures.append(f"ONNX and the cut network differ by {one.onnx:.2g}")
    return found


def verdict(found: Found, exported: Found | None = None) -> str:
    """Return the faults of a network: an unknown failure, or a known one that passes; empty if all is well."""
    name = found.name
    if name in KNOWN:
        return "" if found.failures else f"{name} is known to fail ({KNOWN[name]}), and passes: take it out of KNOWN"
    failures = list(found.failures)
    if exported is not None:
        if ZOO[name].onnx and not exported.failures:
            failures.append(f"its ONNX file is known to fail ({ZOO[name].onnx}), and passes: take the reason out")
        if not ZOO[name].onnx:
            failures += exported.failures
    return f"{name}: {'; '.join(failures)}" if failures else ""


def family_onnx(family: str) -> dict[str, Found]:
    """Return the exported networks of a family by name: those that must pass in one file, the others alone.

    Those that take one example at a time have a file of their own.
    """
    names = [entry.name for entry in FAMILIES[family] if entry.name not in KNOWN]
    plain = [name for name in names if not ZOO[name].onnx and not ZOO[name].one_at_a_time]
    single = [name for name in names if not ZOO[name].onnx and ZOO[name].one_at_a_time]
    alone = [one for name in names if ZOO[name].onnx for one in examine_onnx([name])]
    return {one.name: one for one in [*examine_onnx(plain), *examine_onnx(single), *alone]}


def _family(family: str) -> list[tuple[Found, Found | None]]:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    exported = family_onnx(family)
    return [(examine(entry.name), exported.get(entry.name)) for entry in FAMILIES[family]]


def main() -> int:
    """Print the table of the whole zoo; 1 if a network fails that is not known to, or the other way round."""
    start = time.monotonic()
    form = "{:54} {:>9} {:>8} {:>8} {:>9} {:>9}"
    wrong, shares, refits = [], [], []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for family, rows in zip(FAMILIES, pool.map(_family, FAMILIES), strict=True):
            print(f"\n{form.format(family, 'MACs', 'by hand', 'found', 'cut-gated', 'ONNX')}")
            for found, exported in rows:
                onnx = "known" if found.name in KNOWN else _short(exported and exported.onnx)
                onnx = "cannot" if ZOO[found.name].onnx else onnx
                share = f"{found.share:.1%}"
                print(
                    form.format(found.name, f"{found.macs:,}", f"{found.by_hand:.1%}", share, _short(found.worst), onnx)
                )
                refits.append((found.refitted, found.weights))
                shares.append((found.macs * found.share, found.macs * found.by_hand, found.macs))
                if message := verdict(found, exported):
                    wrong.append(message)
    found_macs, by_hand, all_macs = (sum(column) for column in zip(*shares, strict=True))
    print(f"\n{len(shares)} networks, {len(KNOWN)} known to fail, in {time.monotonic() - start:.0f} s.")
    print(f"Of all MACs {found_macs / all_macs:.1%} can be pruned, {by_hand / all_macs:.1%} by hand.")
    print("Of {1} weights of cut networks {0} were refitted.".format(*map(sum, zip(*refits, strict=True))))
    for name, reason in KNOWN.items():
        print(f"known: {name}: {reason}")
    for name, entry in ZOO.items():
        if entry.onnx:
            print(f"no ONNX: {name}: {entry.onnx}")
        if entry.one_at_a_time:
            print(f"ONNX of one example at a time: {name}: {entry.one_at_a_time}")
    for message in wrong:
        print(f"WRONG: {message}")
    return 1 if wrong else 0


def _short(number: float | None) -> str:
    return "-" if number is None else f"{number:.1g}"


if __name__ == "__main__":
    sys.exit(main())
