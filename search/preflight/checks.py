"""The checks of a preflight that decide nothing, one function each: a new check is a new function in the table.

Checks that decide something, or that a study needs to be resolved, are in `setup.resolve`, and run once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch

from ...gan_models.checkpoints.checkpoint import load_into
from ...gan_models.training.device_memory import GB
from ..artifacts.remote import is_url
from ..configuration.presets.catalog import PRESETS
from ..preparations.opened_study import OpenedStudy
from ..preparations.quality import StudyQuality
from ..setup.pruned_generators import new_discriminators, one_network
from ..setup.weight_files import files_by_network
from ..teacher_checks.value_range_check import value_range_note
from .finding import Finding
from .launch import Launch, cpus_here
from .metrics_check import metrics
from .runtime_check import runtime_rules
from .task_check import own_task

Check = Callable[[Launch], Iterable[Finding]]

STATES = 3  # copies of a network's weights in a training state: the weights, and two moments of Adam
BYTES = 4  # bytes per number
BUSY_LOAD_PER_CPU = 0.75  # processes per CPU that count as a busy machine


def cpus_and_gpus(launch: Launch) -> Iterator[Finding]:
    """Yield findings on resources that one trial needs and this machine lacks."""
    placement = launch.placement
    if not placement.here:
        return
    cpus, gpus = cpus_here(), torch.cuda.device_count()
    if placement.cpus_per_trial > cpus:
        what = f"a trial needs more CPUs than available: got --cpus-per-trial {placement.cpus_per_trial}"
        kind = "warning" if placement.in_turn else "error"
        yield Finding(kind, what, f"{cpus} or fewer", f"--cpus-per-trial {cpus}")
    wanted = placement.gpus_per_trial or 0.0
    if wanted > gpus and not placement.in_turn:
        what = f"a trial needs more GPUs than available: got --gpus-per-trial {wanted:g}"
        yield Finding("error", what, f"{gpus} or fewer" if gpus else "0", "omitting it")
    if gpus and launch.config.device == "cpu":
        yield Finding("note", f"trials run on the CPU, and there are {gpus} GPUs", cure="--device cuda")


def disk(launch: Launch) -> Iterator[Finding]:
    """Yield a finding if the training states of all trials do not fit on the disk of the artifacts."""
    if launch.study is None or is_url(launch.folder):
        return
    config, study = launch.config, launch.study
    there = next(path for path in (Path(launch.folder), *Path(launch.folder).parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    teacher, trial = state_bytes(study)
    every = teacher + config.trials * trial
    told = f"{free / GB:.1f} GB free in {there}"
    if teacher + trial > free:
        yield Finding(
            "error", f"the disk is too small for the teacher and one trial: got {told}",
            f"{(teacher + trial) / GB:.1f} GB or more", "--artifacts FOLDER on another disk",
        )  # fmt: skip
    elif every > free:
        yield Finding(
            "warning", f"{config.trials} trials write up to {every / GB:.1f} GB: got {told}", "",
            f"--disk-quota {max(1, int(0.9 * free / GB))}GB, which removes training states off the front",
        )  # fmt: skip
    else:
        yield Finding("passed", f"disk: trials write up to {every / GB:.2g} GB, {told}")


def state_bytes(study: OpenedStudy) -> tuple[int, int]:
    """Return the bytes of the teacher's files, and of the training state of a trial at the budget."""
    share = min(1.0, study.resolved.limit / study.resolved.dense[study.resolved.cost])
    generators = len(study.task().generator_names) * sum(p.numel() for p in one_network(study.config).parameters())
    with torch.device("meta"):
        judges = new_discriminators(study.config, study.task(), study.output)
    judging = sum(p.numel() for p in judges.parameters())
    return BYTES * (generators + judging), round(BYTES * STATES * (share * generators + judging))


def cuts(launch: Launch) -> Iterator[Finding]:
    """Yield the result of comparing cut and gated networks, and predicted and counted costs, made by `resolve`."""
    for check in launch.study.checks if launch.study is not None else ():
        yield Finding("passed", f"cut equals gated, cost equals the counter: {check.text}")


def images(launch: Launch) -> Iterator[Finding]:
    """Yield the number of images per split."""
    if launch.study is not None:
        counts = launch.study.resolved.data.images
        yield Finding("passed", "images: " + ", ".join(f"{count:,} {split}" for split, count in counts.items()))


def published_images(launch: Launch) -> Iterator[Finding]:
    """Yield a warning if the images are not as many as those of the preset's published set."""
    if launch.study is None or not launch.config.preset:
        return
    preset, counts = PRESETS.find(launch.config.preset), launch.study.resolved.data.images
    found = {"train": counts["train"] + counts.get("select", 0), "test": counts["test"]}
    wanted = {kind: count for kind, count in preset.images.items() if kind in found}
    told = " and ".join(f"{found[kind]:,} {kind}" for kind in wanted)
    unlike = f"images are not those of {preset.data}, and results are comparable with no published one"
    if all(found[kind] == count for kind, count in wanted.items()):
        yield Finding("passed", f"images are as many as those of {preset.data}: {told}")
        return
    yield Finding(
        "warning", f"{unlike}: got {told}",
        " and ".join(f"{count:,} {kind}" for kind, count in wanted.items()), f"{preset.layout} as published",
    )  # fmt: skip


def value_range(launch: Launch) -> Iterator[Finding]:
    """Yield a warning if a given teacher contradicts the stated range of values."""
    if launch.study is None or not launch.config.teacher:
        return
    study, config = launch.study, launch.config
    given = files_by_network(config.teacher, study.task().generator_names, "--teacher")
    said, quality = dict[str, None](), StudyQuality(study, {}, config.scored_on)
    for name in study.names:
        network = one_network(config)
        load_into(network, given[name])
        example = quality.example(name)
        note = value_range_note(config, quality.runner(network), example, study.encoder, study.device, study.rgb)
        said |= {note: None} if note else {}
    if not said:
        yield Finding("passed", f"the teacher's values fit the range {config.value_range or '-1,1'}")
    yield from (Finding("warning", note) for note in said)


def machine(launch: Launch) -> Iterator[Finding]:
    """Yield a note if other processes compute on this machine, which the estimate of hours includes."""
    load, cpus = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, cpus_here()
    if launch.placement.here and load > BUSY_LOAD_PER_CPU * cpus:
        what = f"this machine is busy: got a load of {load:.1f} on {cpus} CPUs"
        yield Finding("note", what, f"{BUSY_LOAD_PER_CPU * cpus:.1f} or less; hours include the present load")


CHECKS: tuple[Check, ...] = (
    cpus_and_gpus, machine, disk, images, published_images, cuts, value_range, own_task, metrics, runtime_rules,
)  # fmt: skip
