"""The environment of a study's runs: versions, commit and hardware."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ENVIRONMENT = "ganprune.environment"  # environments of a study's runs, each once, in order
PACKAGES = ("ganprune", "torch", "numpy", "optuna", "ray")


def environment() -> dict[str, str]:
    """Return versions of Python and packages, the commit of ganprune's source if it is a checkout, and the hardware."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found | {"commit": _commit(), "system": platform.platform(), "cpus": str(os.cpu_count()), "gpu": _gpus()}


def with_this(recorded: Sequence[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Return recorded environments with the present one at the end, unless it is there."""
    now, there = environment(), list(recorded or ())
    return there if now in there else [*there, now]


def _commit() -> str:
    """Return the commit of the checkout that ganprune runs from; empty if it is an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _gpus() -> str:
    """Return the names of CUDA devices; empty without one."""
    import torch

    return ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
