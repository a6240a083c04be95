"""The whole procedure on built-in data, sized for two CPU cores: the command `ganprune demo`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.texts.number_text import counted
from ..api import RunOptions, Search
from ..bundles.verify import verify_bundle
from ..report.image_grid import write_pictures
from ..results.outcome import outcome_of
from ..results.plots import write_plot
from .progress import Display
from .results import print_front

BUDGET = "40%"
# Sizes that take minutes on a laptop's two cores, with a teacher worth pruning (README, "The demo").
OPTIONS: Mapping[str, Any] = {
    "model_args": {"ngf": 16, "n_blocks": 3},
    "image_size": 64,
    "n_train": 1000,
    "n_test": 300,
    "teacher_steps": 1500,
    "prune_steps": 105,
    "finetune_steps": 245,
    "rungs": (),
    "reduction": 0,  # ten trials are the front, so none is stopped
    "teacher_recipe": {"batch_size": 4, "lr": 2e-3},
    "recipe": {"batch_size": 4, "lr": 2e-3, "distill_output": 50.0},
    "task_settings": {"discriminator": {"ndf": 16}},
}
# The same procedure in seconds, for tests: pictures are useless at this size.
SMALL_OPTIONS: Mapping[str, Any] = {
    **OPTIONS,
    "model_args": {"ngf": 8, "n_blocks": 1},
    "image_size": 32,
    "n_train": 64,
    "n_test": 32,
    "teacher_steps": 8,
    "prune_steps": 2,
    "finetune_steps": 4,
}


def run_demo(out: Path, trials: int, seed: int, console: Console, small: bool) -> None:
    """Search, show the front, and export and verify the best generator under the budget.

    Args:
        out: A folder of its own; an earlier demo in it is replaced.
        trials: Trials of the search.
        seed: Seed of all random numbers.
        console: Console for output.
        small: True to take seconds instead of minutes.

    Raises:
        ValueError: `out` contains something other than a demo.
        RuntimeError: Too many trials failed, or the bundle does not verify.
    """
    if out.exists() and any(out.iterdir()):
        if not (out / "demo.db").exists():
            raise UserError(f"{out} contains something else: expected an earlier demo. Try another folder for --out")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    options = {**(SMALL_OPTIONS if small else OPTIONS), "trials": trials, "seed": seed, "metric": "shapes"}
    search = Search(
        model="resnet",
        data="builtin:shapes",
        budget=BUDGET,
        name="demo",
        options=options,
        storage=f"sqlite:///{out.absolute() / 'demo.db'}",
        run_options=RunOptions(executor="local" if small else "ray"),
    )
    resolved = search.resolve()
    console.print(
        f"demo: outlines to shaded shapes, budget {BUDGET} of {resolved.dense['macs'] / 1e6:.0f} MMACs, "
        f"{counted(trials, 'trial')}"
    )
    with Display(console, "selection fd[shapes]", resolved.dense["macs"]).live() as display:
        study = search.run(display.event, display.teacher, resolved)
    print_front(study.record, console, as_json=False)
    display.refuse_failures(study.record)
    write_plot(outcome_of(study.record), out / "front.png")
    write_pictures(study.record, study.artifacts, out / "pictures.png")
    best = study.best_under(BUDGET)
    study.export(best.number, out / "bundle")
    console.print(f"exported trial {best.number} to {out / 'bundle'}; `ganprune verify {out / 'bundle'}` says:")
    checks = verify_bundle(out / "bundle")
    for check in checks:
        console.print(f"{'ok  ' if check.passed else 'FAIL'} {check.name}: {check.detail}", highlight=False)
    console.print(f"front: {out / 'front.png'}   pictures: {out / 'pictures.png'}", highlight=False)
    if not all(check.passed for check in checks):
        raise WorkFailed("the exported bundle does not verify")
