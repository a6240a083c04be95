"""Reconstruction of a cut network: its weights are refitted to its teacher's activations, without training."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor, nn

from ..cuttable_layers.attention_by_heads import heads_parted
from ..files.seeds import mixed
from ..groups.channel_groups import ChannelGroups
from ..groups.plan import ChannelPlan
from .calibration import MEMORY
from .layers.call_tape import Tape, weights_by_identity
from .layers.least_squares import RIDGES
from .record import Reconstruction
from .refit import Refit
from .refit_plan import RefitPlan, Site, refit_plan
from .targets import OtherCalls, Split, Targets, relative_error, run, teacher_targets
from .weight_store import computed_once, weight_of, weights_of

ROWS = 5000
MAX_ROWS_FACTOR = 4  # maximum factor on the rows of a small layer
SUMS = 1_000_000_000  # multiplications of a layer's sums up to which rows are increased
IMAGE_AXES = 4  # N, C, H, W
MIN_CROP_SIDE = 16  # minimum pixels per side of a cropped image
SHAPE_ERRORS = (
    RuntimeError,
    ValueError,
    IndexError,
    AssertionError,
)  # errors of networks for sizes that they do not accept
MIN_CALIBRATION_INPUTS = 4  # minimum: two inputs to fit, one to choose ridges, one unseen


@dataclass(frozen=True)
class RefitOptions:
    """The limits of a reconstruction.

    Attributes:
        rows: Number of sampled positions per layer to fit; small layers get up to four times as many.
        memory_bytes: Maximum sum of live activations in one pass, in bytes.
        ridges: Candidates of the ridge, relative to the mean square of a layer's inputs.
    """

    rows: int = ROWS
    memory_bytes: int = MEMORY
    ridges: tuple[float, ...] = RIDGES


@dataclass(frozen=True)
class TeacherPass:
    """The pass of a teacher that refits of many plans share; see `teacher_pass`.

    Attributes:
        inputs: The inputs that fit into memory.
        tape: A pass of one input.
        weights: Names of the teacher's parameters by identity of their tensors.
        note: How inputs were changed to stay within the memory option; empty if they were not.
        targets: The teacher's activations at sampled positions, all channels.
    """

    inputs: tuple[Tensor, ...]
    tape: Tape
    weights: Mapping[int, str]
    note: str
    targets: Targets

    def targets_of(self, refits: RefitPlan) -> Targets:
        """Return the activations of a plan's kept channels; their MACs are 0, because there is no pass."""
        chosen = Targets(grids=self.targets.grids, refused=self.targets.refused, outputs=self.targets.outputs)
        for site in refits.sites:
            for number in site.calls:
                if number in self.targets.values:
                    chosen.places[number] = self.targets.places[number]
                    first, second = (site.of_outputs(values) for values in self.targets.values[number])
                    chosen.values[number] = first, second
                if number in self.targets.inputs:
                    first, second = self.targets.inputs[number]
                    kept = slice(None) if site.inputs is None else site.inputs.to(first.device)
                    chosen.inputs[number] = first[:, kept], second[:, kept]
        for number, channels in refits.norms.items():
            if number in self.targets.statistics:
                mean, variance = self.targets.statistics[number]
                chosen.statistics[number] = (
                    (mean, variance) if channels is None else (mean[channels], variance[channels])
                )
        return chosen


def teacher_pass(
    teacher: nn.Module,
    groups: ChannelGroups,
    inputs: tuple[Tensor, ...],
    seed: int,
    options: RefitOptions = RefitOptions(),
) -> TeacherPass | None:
    """Return the pass of a teacher for the refits of any number of plans; None if too few inputs fit into memory.

    Args:
        teacher: The dense network; it must not change while the pass is used.
        groups: Its groups.
        inputs: As for `reconstruct`.
        seed: As for `reconstruct`.
        options: Rows and memory. A layer has as many rows as in the dense network.
    """
    was_training = teacher.training
    teacher.eval()
    try:
        with heads_parted(teacher), computed_once(teacher):
            weights = weights_by_identity(teacher)
            inputs, tape, note = _within_memory(teacher, inputs, options.memory_bytes, seed)
            if tape is None or len(inputs[0]) < MIN_CALIBRATION_INPUTS:
                return None
            refits = refit_plan(tape, teacher, weights, groups, groups.full_plan())
            rows = {site.weight: _rows(site, teacher, options.rows) for site in refits.sites}
            targets = teacher_targets(teacher, inputs, refits, split_of(len(inputs[0])), rows, mixed(seed, 1))
    finally:
        teacher.train(was_training)
    return TeacherPass(inputs, tape, weights, note, targets)


def reconstruct(
    teacher: nn.Module,
    student: nn.Module,
    groups: ChannelGroups,
    plan: ChannelPlan,
    inputs: tuple[Tensor, ...],
    seed: int,
    options: RefitOptions = RefitOptions(),
    shared: TeacherPass | None = None,
) -> Reconstruction:
    """Refit a cut network in place; restore the plain cut if the refit does not lower the error of its outputs.

    Args:
        teacher: The dense network.
        student: The network that was cut from it; changed in place.
        groups: Groups of the teacher.
        plan: The kept channels.
        inputs: Calibration inputs without labels, one tensor per input of the network, batch axis first.
        seed: Seed of sampled positions, and of the networks' own random numbers.
        options: Rows and memory.
        shared: The teacher's pass on these inputs, if there is one already.

    Returns:
        The record of the refit.
    """
    started = time.perf_counter()
    was_training, plain = (teacher.training, student.training), weights_of(student)
    teacher.eval()
    student.eval()
    try:
        with heads_parted(teacher, student), computed_once(teacher), computed_once(student):
            done = _reconstructed(teacher, student, groups, plan, inputs, seed, options, shared)
    except OtherCalls as difference:
        student.load_state_dict(plain)
        done = Reconstruction(False, f"the cut network makes other calls than its teacher: {difference}")
    except Exception as error:  # a user's network may raise anything when it is observed
        student.load_state_dict(plain)
        fault = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        done = Reconstruction(False, f"its calls cannot be recorded: {fault}", fault=fault)
    finally:
        teacher.train(was_training[0])
        student.train(was_training[1])
    return replace(done, seconds=time.perf_counter() - started)


def _reconstructed(
    teacher: nn.Module,
    student: nn.Module,
    groups: ChannelGroups,
    plan: ChannelPlan,
    inputs: tuple[Tensor, ...],
    seed: int,
    options: RefitOptions,
    shared: TeacherPass | None,
) -> Reconstruction:
    if len(inputs[0]) < MIN_CALIBRATION_INPUTS:
        return Reconstruction(
            False, f"there are too few inputs: got {len(inputs[0])}; expected at least {MIN_CALIBRATION_INPUTS}"
        )
    if shared is None:
        weights = weights_by_identity(teacher)
        inputs, tape, note = _within_memory(teacher, inputs, options.memory_bytes, seed)
        if tape is None:
            return Reconstruction(False, note)
        refits = refit_plan(tape, teacher, weights, groups, plan)
        del tape
        rows = {site.weight: _rows(site, student, options.rows) for site in refits.sites}
        targets = teacher_targets(teacher, inputs, refits, split_of(len(inputs[0])), rows, mixed(seed, 1))
    else:
        inputs, note = shared.inputs, shared.note
        refits = refit_plan(shared.tape, teacher, shared.weights, groups, plan)
        targets = shared.targets_of(refits)
    n = len(inputs[0])
    split = split_of(n)
    unseen = tuple(x[split.unseen.to(x.device)] for x in inputs)
    before = relative_error(run(student, unseen, lambda _n, _m, f, a, k: f(*a, **k), mixed(seed, 1)), targets.outputs)
    plain = weights_of(student)
    refit = Refit(student, refits, targets, split, options.ridges)
    outputs = refit.run(inputs, mixed(seed, 1))
    after = relative_error([output[split.unseen.to(output.device)] for output in outputs], targets.outputs)
    kept = math.isfinite(after) and after < before
    if not kept:
        student.load_state_dict(plain)
    cut_pass = refit.macs * len(split.unseen) // n
    return Reconstruction(
        kept,
        "" if kept else "the plain cut's outputs are closer to the teacher's on unseen inputs",
        before,
        after,
        (*(refit.layers[site.weight] for site in refits.sites), *refits.left),
        len(split.fitted),
        len(split.held_out),
        len(split.unseen),
        note,
        targets.macs + targets.macs // n,
        refit.macs + cut_pass,
    )


def _within_memory(
    teacher: nn.Module, inputs: tuple[Tensor, ...], memory_bytes: int, seed: int
) -> tuple[tuple[Tensor, ...], Tape | None, str]:
    """Return inputs whose activations fit into memory, a pass of one of them, and a note on the changes.

    Fewer inputs are used, and, if four are too many, the center of images. Without a pass, no input fits, and the text
    is the reason.
    """
    given, cropped = len(inputs[0]), ""
    while True:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            tape = Tape(teacher, tuple(x[:1] for x in inputs))
        each = tape.peak_bytes()
        n = min(given, int(memory_bytes // max(each, 1)))
        if n >= MIN_CALIBRATION_INPUTS:
            break
        pixels = [tuple(x.shape[2:]) for x in inputs if x.ndim == IMAGE_AXES]
        smaller = tuple(_middle(x) if x.ndim == IMAGE_AXES else x for x in inputs)
        if not pixels or min(map(min, pixels)) < 2 * MIN_CROP_SIDE or not _runs(teacher, smaller):
            return (
                inputs,
                None,
                f"one input takes {each} bytes of activations: {MIN_CALIBRATION_INPUTS} do not fit into {memory_bytes}",
            )
        inputs = smaller
        cropped = f", cropped to their center {'x'.join(str(size // 2) for size in pixels[0])}"
    if n < given or cropped:
        note = f"{n} of {given} inputs{cropped}: more do not fit into {memory_bytes} bytes of activations"
        return tuple(x[:n] for x in inputs), tape, note
    return inputs, tape, ""


def _middle(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    return x[:, :, height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2]


def _runs(model: nn.Module, inputs: tuple[Tensor, ...]) -> bool:
    """Return True if a network accepts images of this size."""
    try:
        with torch.no_grad():
            model(*(x[:1] for x in inputs))
    except torch.OutOfMemoryError:
        raise
    except SHAPE_ERRORS:
        return False
    return True


def _rows(site: Site, student: nn.Module, fewest: int) -> int:
    """Return the number of positions to fit a weight to: more for a small one, whose sums are cheap."""
    layer, shape = site.layers[0], weight_of(student, site.weight).shape
    columns = prod(shape[2:]) * (max(1, shape[0] // layer.groups) if layer.transposed else shape[1])
    return max(fewest, min(MAX_ROWS_FACTOR * fewest, SUMS // columns**2))


def split_of(n: int) -> Split:
    """Return a split of n inputs: three quarters to fit, an eighth to choose ridges, an eighth unseen."""
    other = max(1, n // 8)
    order = torch.arange(n)
    return Split(order[: n - 2 * other], order[n - 2 * other : n - other], order[n - other :])
