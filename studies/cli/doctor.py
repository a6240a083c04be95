"""Findings on this machine: available features of ganprune, and remedies for others."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ...evaluators.cost.catalog import RUNTIMES
from ...evaluators.features.catalog import ENCODERS
from ...evaluators.quality.catalog import METRICS
from ...gan_models.costs.catalog import COSTS
from ...gan_models.data.degradation.catalog import DEGRADATIONS
from ...gan_models.distillation.catalog import TERMS
from ...gan_models.export.catalog import EXPORTERS
from ...gan_models.files.errors import UserError
from ...gan_models.files.open_table import OpenTable
from ...gan_models.files.packages import Package, install_command
from ...gan_models.files.plugin_packages import PluginPackage, plugin_packages
from ...gan_models.files.texts.number_text import counted
from ...gan_models.networks.catalog import DISCRIMINATORS, NETWORKS
from ...gan_models.pruning.catalog import METHODS
from ...gan_models.tasks.catalog import TASKS
from ...search.preparations.catalog import PREPARATIONS
from ...search.samplers.catalog import SAMPLERS
from ..bench.catalog import CONTENDERS

TABLES: tuple[OpenTable[Any], ...] = (
    NETWORKS, DISCRIMINATORS, TASKS, DEGRADATIONS, METHODS, TERMS, METRICS, ENCODERS, COSTS, SAMPLERS, PREPARATIONS,
    EXPORTERS, RUNTIMES, CONTENDERS,
)  # fmt: skip
PACKAGES = (
    "torch", "torchvision", "optuna", "ray", "numpy", "pandas", "sqlalchemy", "pytorch-fid", "thop", "safetensors",
)  # fmt: skip
MIN_FREE_GB = 2


@dataclass(frozen=True)
class Finding:
    """The result of one check: ok or not, the finding, and a remedy if it is not."""

    name: str
    ok: bool
    found: str
    cure: str = ""


def examine(storage: str) -> list[Finding]:
    """Check all that a search needs, without changes."""
    findings = [_package(name) for name in PACKAGES]
    findings += [_needed(f"format {name}", row.needs) for name, row in EXPORTERS.usable()]
    findings += [_needed(f"runtime {name}", row.needs) for name, row in RUNTIMES.usable()]
    findings += [_plugins(package) for package in plugin_packages()]
    checks: tuple[tuple[str, Callable[[], tuple[bool, str, str]]], ...] = (
        ("processor", _processor),
        ("GPU", _gpu),
        ("torchvision with torch", _torchvision),
        ("Inception weights", _inception),
        ("database", lambda: _database(storage)),
        ("disk", _disk),
    )
    for name, check in checks:
        try:
            findings.append(Finding(name, *check()))
        except Exception as error:  # any error is the finding
            findings.append(Finding(name, False, f"{type(error).__name__}: {error}"[:200], "see the message"))
    return findings


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        return Finding(name, False, "not installed", f"pip install {name}")


def _needed(name: str, packages: tuple[Package, ...]) -> Finding:
    """Return a finding on the installed packages of an export format or a runtime."""
    missing = [package for package in packages if not package.installed()]
    if missing:
        return Finding(name, False, f"{', '.join(p.name for p in missing)} not installed", install_command(missing))
    return Finding(name, True, ", ".join(f"{p.name} {p.version()}" for p in packages) or "needs nothing")


def _plugins(package: PluginPackage) -> Finding:
    """Return a finding on the rows that a package adds, or on the reason that one is unusable."""
    tables = {table.group: table for table in TABLES}
    added, faults = [], []
    for point in package.points:
        table = tables.get(point.group)
        if table is None:
            faults.append(f"no table reads the entry points {point.group}; there are {', '.join(tables)}")
            continue
        if hidden := table.hidden(point.name):
            faults.append(hidden)
            continue
        try:
            table.find(point.name)
        except UserError as error:
            faults.append(str(error))
        added.append(f"{table.kind} {point.name}")
    name = f"package {package.name}"
    if faults:
        return Finding(name, False, "; ".join(faults), "repair, rename or uninstall it")
    return Finding(name, True, f"{package.version}, adds {', '.join(added)}")


def _processor() -> tuple[bool, str, str]:
    import torch

    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return True, f"{platform.machine()}, {cpus} CPUs, {torch.get_num_threads()} torch threads", ""


def _gpu() -> tuple[bool, str, str]:
    import torch

    if torch.cuda.is_available():
        return True, torch.cuda.get_device_name(0), ""
    return True, "none: trials run on the CPU", ""


def _torchvision() -> tuple[bool, str, str]:
    from ...evaluators.features.torchvision_import import make_torchvision_importable

    cured = make_torchvision_importable()
    importlib.import_module("pytorch_fid.inception")
    return True, "its compiled operators are missing; worked around" if cured else "fits", ""


def _inception() -> tuple[bool, str, str]:
    import torch

    from ...evaluators.features.inception import (
        WEIGHTS_NAME,
        WEIGHTS_URL,
        WEIGHTS_VARIABLE,
        check_inception_weights,
        find_inception_weights,
    )

    cure = (
        f"FID needs {WEIGHTS_NAME}, which is never downloaded by itself: fetch {WEIGHTS_URL} on a machine that may, "
        f"then put it into {Path(torch.hub.get_dir()) / 'checkpoints'}, set {WEIGHTS_VARIABLE} to its path, or give "
        "--inception-weights; without it searches measure fd[shapes]"
    )
    try:
        found = find_inception_weights()
        name = check_inception_weights(found) if found else ""
    except ValueError as error:
        return False, str(error), cure
    if not found:
        return False, "not found", cure
    other = "" if name == "inception" else f": not the published file, its distance is fd[{name}] and no FID"
    return True, f"{found}{other}", ""


def _database(storage: str) -> tuple[bool, str, str]:
    from ..database.reader import list_studies
    from ..database.storage import parse_url, shown

    url = parse_url(storage)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        with tempfile.NamedTemporaryFile(dir=Path(str(url.database)).parent):
            return True, f"{shown(url)}: none yet, the folder can be written", ""
    return True, f"{shown(url)}: {counted(len(list_studies(storage)), 'study', 'studies')}", ""


def _disk() -> tuple[bool, str, str]:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return free > MIN_FREE_GB, f"{free:.0f} GB free here", "" if free > MIN_FREE_GB else "free some space"


def as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    """Return findings as plain JSON."""
    return [{"name": f.name, "ok": f.ok, "found": f.found, "cure": f.cure} for f in findings]
