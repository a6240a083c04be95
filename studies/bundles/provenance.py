"""The provenance of a generator, as a bundle's card states it."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...evaluators.cost.catalog import RUNTIMES
from ...evaluators.features.catalog import ENCODERS
from ...evaluators.quality.catalog import METRICS
from ...gan_models.costs.catalog import COSTS
from ...gan_models.distillation.catalog import TERMS
from ...gan_models.export.catalog import EXPORTERS
from ...gan_models.files.kept_copies import with_neighbors
from ...gan_models.files.open_table import OpenTable
from ...gan_models.files.packages import Package
from ...gan_models.files.plain_values import to_json
from ...gan_models.files.seeds import derived_seed
from ...gan_models.files.texts.number_text import counted
from ...gan_models.networks.catalog import NETWORKS
from ...gan_models.pruning.catalog import METHODS
from ...gan_models.quantization.settings import FULL_BITS, Quantization
from ...gan_models.reconstruction.record import Reconstruction
from ...gan_models.tasks.catalog import TASKS
from ...search.configuration.sections import SELECTION
from ...search.records.ledger import TrialRecord
from ...search.setup.kept_files import task_files
from ..results.accepted_changes import accepted_changes
from ..results.outcome import IMAGES, TEACHER, VERSION, Outcome
from .architecture import SOURCE, TASK_CODE
from .bundle import WEIGHTS


def lineage(outcome: Outcome, trial: TrialRecord, source: Path | None, network: str) -> dict[str, Any]:
    """Return the provenance of a generator: study, trial, method, settings, seeds, data and its hash.

    Args:
        outcome: Of the study.
        trial: The trial.
        source: The file of a generator from outside the catalog.
        network: The generator's name in the task.
    """
    config, ended = outcome.config, trial.ended()
    trained = trial.number if ended.same_as is None else ended.same_as  # of a repeated plan the earlier trial
    found = {
        "study": outcome.study.name,
        "trial": trial.number,
        # of a file only its name: where it lay on somebody's disk is nobody's business
        "model": config.model if source is None else f"{source.name}:{config.model.rpartition(':')[2]}",
        "model_args": dict(config.model_args),
        "task": config.task_name,
        "task_settings": dict(config.task_settings),
        "network": network,
        "method": trial.new.method,
        "settings": to_json(trial.new.proposal.settings),
        **({"recipe": dict(trial.new.proposal.recipe)} if trial.new.proposal.recipe else {}),
        "bits": FULL_BITS if ended.quantized is None else ended.quantized.bits,
        "cost": outcome.cost,
        "target": trial.new.target,
        "chosen_by": trial.new.origin,
        "architecture": ended.architecture,
        "budgets": list(config.budgets),
        "convention": config.convention,
        "seed": config.seed,
        "trial_seed": derived_seed(config.seed_of_trials, trained, "trial"),
        "steps": {} if ended.steps is None else to_json(ended.steps),
        "seconds": dict(ended.seconds),
        "data": config.data_name,  # not where it lay on somebody's disk
        "direction": config.direction,
        "image_size": config.image_size,
        **_counted(outcome),
        "n_eval": config.n_eval,
        "protocol": config.protocol,
        "select_on": outcome.split,
        "data_sha256": (outcome.study.attributes.get(TEACHER) or {}).get("data", ""),
        "teacher": (outcome.study.attributes.get(TEACHER) or {}).get("origin", ""),
        "configuration": config.fingerprint(),
        "study_made_with": outcome.study.attributes.get(VERSION, ""),
    }
    return found | ({"same_as": trained} if trained != trial.number else {})


def _counted(outcome: Outcome) -> dict[str, int | str]:
    """Images that there were; the configuration says it of built-in sets alone."""
    config = outcome.config
    drawn = {"train": config.n_train, "test": config.n_test} if config.data.startswith("builtin:") else {}
    known = outcome.study.attributes.get(IMAGES) or drawn
    chosen_by = {f"n_{SELECTION}": known["select"]} if "select" in known else {}
    return {f"n_{split}": known.get(split, "not recorded") for split in ("train", "test")} | chosen_by


def notes(outcome: Outcome, trial: TrialRecord, source: Path | None) -> tuple[str, ...]:
    """Return the notes that a user of the bundle must know besides."""
    accepted = accepted_changes(outcome.study.attributes)
    lines = [f"the study went on although something had changed, {line}" for line in accepted]
    if over := outcome.over_when_measured(trial.number):
        lines.append(f"the budget was met as predicted, not as measured: {over}")
    check = trial.ended().cost_check
    if check is not None and check.uncounted:
        calls = ", ".join(f"{name} x {n}" for name, n in check.uncounted.items())
        lines.append(f"operators that ran and are in no MACs count: {calls}")
    lines += [refit_line(name, done) for name, done in trial.ended().reconstructions.items()]
    if outcome.config.teacher_train_mode:
        lines.append(
            "quality was measured in train mode (dropout and batch statistics, as upstream pix2pix tests); "
            "the bundle's files run in eval mode and may score differently"
        )
    if source is not None:
        beside = sum(path.suffix == ".py" for path in with_neighbors(source)) - 1
        with_them = f" with the {counted(beside, 'file')} that it imports" if beside else ""
        lines.append(f"loading the PyTorch network runs {SOURCE}, the copy of {source.name}{with_them} in this bundle")
    elif package := NETWORKS.package(outcome.config.model):
        lines.append(f"loading the PyTorch network needs the package {package.name}; files of other runtimes do not")
    elif ":" in outcome.config.model:
        module = outcome.config.model.partition(":")[0]
        lines.append(f"loading the PyTorch network needs the package of {module}; files of other runtimes do not")
    if own := task_files(outcome.config):
        names = " and ".join(file.name for file in own)
        lines.append(
            f"`ganprune fid` and `ganprune compare` run {names} in {TASK_CODE}/, copies of the task's own code"
        )
    return tuple(lines)


def refit_line(name: str, done: Reconstruction) -> str:
    """Return what refitting a cut generator did, as one line."""
    n = done.inputs + done.held_out + done.unseen
    if not done.kept:
        return f"{name} was cut and not refitted: {done.why}"
    return (
        f"{name} was refitted to its teacher after the cut, {done.refitted} of {len(done.layers)} weights in closed "
        f"form on {counted(n, 'training input')}: error of its outputs on {done.unseen} of them that no fit "
        f"used {done.before:.3g}, then {done.after:.3g}, relative to their variance"
    )


def bits_notes(quantization: Quantization | None) -> tuple[str, ...]:
    """Return what a user must know of a generator that was trained in fewer bits."""
    if quantization is None:
        return ()
    exact = ", ".join(e.filename for _, e in EXPORTERS.usable() if e.dtype == "float32" and e.written == "always")
    lines = [
        f"trained and measured in {quantization.settings.bits} bits: the measurements above are of the quantized "
        f"network; {WEIGHTS} and {exact} hold the same weights in float32, which score differently"
    ]
    if quantization.settings.scheme == "published":
        lines.append("quantized as GAN Slimming published it, for reproduction: no int8 file can be made of it")
    return tuple(lines)


def row_packages(outcome: Outcome, trial: TrialRecord) -> tuple[Package, ...]:
    """Return the packages that add rows which a trial was made with: network, task, method, measures and costs."""
    config = outcome.config
    rows: list[tuple[OpenTable[Any], str]] = [
        (NETWORKS, config.model),
        (TASKS, config.task),
        (METHODS, trial.new.method),
        (ENCODERS, config.metric),
        *((TERMS, name) for name in config.recipe.distillation),
        *((METRICS, name) for name in config.also_measure),
        *((COSTS, name) for name in outcome.costs),
    ]
    found = (table.package(name) for table, name in rows)
    return tuple(dict.fromkeys(package for package in found if package is not None))


def versions(formats: Iterable[str], packages: Iterable[Package] = ()) -> dict[str, str]:
    """Return versions of Python and of the packages that make and run a bundle's files.

    Args:
        formats: Names of its export formats.
        packages: Those that the trial was made with besides.
    """
    formats = tuple(formats)
    rows = [EXPORTERS.find(name) for name in formats]
    needs = [package for row in rows for package in row.needs]
    needs += [package for row in rows if row.runtime for package in RUNTIMES.find(row.runtime).needs]
    of_rows = [EXPORTERS.package(name) for name in formats] + [RUNTIMES.package(row.runtime) for row in rows]
    every = (Package("ganprune"), Package("torch"), *needs, *packages, *(each for each in of_rows if each is not None))
    return {"python": platform.python_version()} | {package.name: package.version() for package in every}
