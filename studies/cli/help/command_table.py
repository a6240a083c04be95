"""The table of commands: function, group, help, examples, common options, and advice after an interruption."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer

from .command_help import help_command, with_help_all
from .interruption import RUN_AGAIN, SAME_COMMAND_RESUMES

GROUPS = ("Search", "Look", "Use", "Measure", "Manage")


@dataclass(frozen=True)
class Command:
    """A row of the table of commands.

    Attributes:
        group: One of `GROUPS`.
        function: `module:function`, relative to `studies.cli`.
        help: The function's docstring, so that a list of commands imports none of them.
        examples: Two commands as typed, without `ganprune`.
        common: Names of the options that the short help shows, most common first; empty: it shows all.
        interrupted: Advice after Ctrl-C, if the command does not give its own.
    """

    group: str
    function: str
    help: str
    examples: tuple[str, str]
    common: tuple[str, ...] = ()
    interrupted: str = RUN_AGAIN

    def build(self, name: str) -> Any:
        """Return the command with its options."""
        module, _, attribute = self.function.partition(":")
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        function = getattr(import_module(f"..{module}", __package__), attribute)
        alone.command(name, cls=help_command(self.examples, self.common))(with_help_all(function))
        return typer.main.get_command(alone)


COMMANDS: Mapping[str, Command] = {
    "search": Command(
        "Search",
        "search:search",
        "Search pruned generators that meet a budget.",
        (
            "search --model resnet_9blocks --data pairs --budget 25%",
            "search --config faces.toml --trials 40 --dry-run",
        ),
        (
            "model", "model_args", "teacher", "budget", "data", "task", "image_size", "trials", "methods", "hours",
            "study", "storage", "config", "dry_run",
        ),
    ),
    "resume": Command(
        "Search",
        "search:resume",
        "Continue a study: train more trials, or what was interrupted.",
        ("resume faces", "resume faces --trials 40 --hours 8"),
        ("trials", "hours", "plan", "data", "executor", "storage", "config", "accept_changes"),
    ),
    "forecast": Command(
        "Search",
        "search:forecast",
        "Predict quality over the whole range of costs, without training a pruned generator.",
        (
            "forecast --model resnet_9blocks --teacher G.pth --data pairs",
            "forecast --config faces.toml --costs 12 --out forecast",
        ),
        (
            "model", "model_args", "teacher", "budget", "data", "task", "image_size", "costs", "evaluations", "out",
            "study", "storage", "config",
        ),
        SAME_COMMAND_RESUMES,
    ),
    "train": Command(
        "Search",
        "search:train_teacher",
        "Train a teacher, to be given to several searches.",
        (
            "train --model resnet_9blocks --data pairs --out teacher.safetensors",
            "train --config faces.toml --steps 50000 --out teacher.safetensors",
        ),
        ("model", "model_args", "data", "task", "image_size", "steps", "batch_size", "lr", "out", "config"),
        SAME_COMMAND_RESUMES,
    ),
    "demo": Command(
        "Search",
        "main:demo",
        "Try everything on built-in images: teacher, search, front, pictures, export.",
        ("demo", "demo --small --out tried"),
        interrupted="the same command begins anew",
    ),
    "studies": Command("Look", "main:studies", "List the studies of a database.", ("studies", "studies --json")),
    "show": Command(
        "Look",
        "results:show",
        "Show all trials of a study, or everything of one trial.",
        ("show faces", "show faces:7"),
    ),
    "pareto": Command(
        "Look",
        "results:pareto",
        "Show the Pareto front of quality against cost, as table, CSV and pictures.",
        ("pareto faces", "pareto faces --csv front.csv --plot front.png --pictures pictures.png"),
    ),
    "report": Command(
        "Look",
        "results:report",
        "Write one self-contained HTML page on a study.",
        ("report faces", "report faces --try --trial 7 --out try.html"),
    ),
    "inspect": Command(
        "Look",
        "main:inspect",
        "Show a network's channel groups, MACs per layer, and cheapest plan.",
        ("inspect --model resnet_9blocks", "inspect --model net.py:make --input-shape 3,256,256 --check"),
        ("model", "model_args", "image_size", "input_shape", "layers", "method", "runtime", "check", "sensitivity"),
    ),
    "export": Command(
        "Use",
        "results:export",
        "Write generators as bundles: weights, files for other runtimes, card, checks.",
        ("export faces --best-under 20% --out small", "export faces --trial 7 --formats onnx,onnx-int8 --out small"),
        ("trial", "best_under", "front", "out", "formats", "overwrite", "storage"),
    ),
    "verify": Command(
        "Use",
        "results:verify",
        "Check a bundle again: hashes, reload, costs, and each file against PyTorch.",
        ("verify small", "verify small --input photos"),
    ),
    "run": Command(
        "Use",
        "results:run",
        "Translate images with an exported generator, or draw samples.",
        ("run small --input photo.png --out translated", "run small --input photos --format onnx --device cpu"),
        ("input", "out", "samples", "half", "format", "batch_size", "device"),
    ),
    "push": Command(
        "Use",
        "sharing.push:push",
        "Upload a bundle to the Hugging Face Hub.",
        ("push small user/small-shoes --private", "push small user/small-shoes --dry-run folder"),
    ),
    "fid": Command(
        "Measure",
        "measure.quality:fid",
        "Measure the distance of images to real ones, with interval and protocol.",
        ("fid translated photos", "fid small photos --json"),
    ),
    "compare": Command(
        "Measure",
        "measure.quality:compare",
        "Compare two generators: A better, B better, or cannot tell.",
        ("compare faces:7 faces:teacher", "compare small other --data pairs"),
    ),
    "rerun": Command(
        "Measure",
        "trials.rerun:rerun",
        "Train a trial again by its seed, and compare it with its record.",
        ("rerun faces:7", "rerun faces:7 --out again --json"),
    ),
    "bench": Command(
        "Measure",
        "measure.bench:bench",
        "Compare methods at equal cost and equal steps, over budgets, seeds and teachers.",
        (
            "bench --config faces.toml --contender uniform --contender coronet --budget 25%",
            "bench --config faces.toml --table --latex table.tex",
        ),
        (
            "config", "contender", "budget", "seeds", "teachers", "against", "jobs", "plan", "table", "csv", "markdown",
            "latex", "study", "storage",
        ),
        SAME_COMMAND_RESUMES,
    ),
    "scoreboard": Command(
        "Measure",
        "measure.scoreboard:scoreboard",
        "Show published results, and a study's own where the protocol is the same.",
        ("scoreboard --data horse2zebra", "scoreboard zebras --csv board.csv"),
    ),
    "profile-device": Command(
        "Measure",
        "measure.latency:profile_device",
        "Measure each distinct layer of a network on this device, for budgets in ms.",
        ("profile-device --model resnet_9blocks", "profile-device --model resnet_9blocks --runtime onnxruntime"),
        ("model", "model_args", "image_size", "input_shape", "runtime", "threads", "device", "out", "storage"),
        SAME_COMMAND_RESUMES,
    ),
    "measure": Command(
        "Measure",
        "measure.finalists:measure",
        "Measure the latency of a study's finalists again.",
        ("measure faces", "measure faces --trials 3,7 --device-command \"$COMMAND\""),
    ),
    "new": Command(
        "Manage",
        "starters:new",
        "Write a working file of your own code, with its test, into this folder.",
        ("new method my_method", "new task my_task"),
    ),
    "gc": Command(
        "Manage",
        "main:gc",
        "Remove training states of finished trials that are not on the front.",
        ("gc faces", "gc faces --weights"),
    ),
    "delete": Command(
        "Manage",
        "main:delete",
        "Delete a study: its trials and its files.",
        ("delete faces", "delete faces --yes"),
    ),
    "doctor": Command(
        "Manage",
        "main:doctor",
        "Check this machine: packages, weights, devices, database, each with a cure.",
        ("doctor", "doctor --json"),
    ),
}  # fmt: skip


class BuiltCommands(Mapping[str, Any]):
    """The commands by name, each built at first use."""

    def __init__(self) -> None:
        self.built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return a command with its options."""
        if name not in self.built:
            self.built[name] = COMMANDS[name].build(name)
        return self.built[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names in the order of the help."""
        return iter(COMMANDS)

    def __len__(self) -> int:
        """Return the number of commands."""
        return len(COMMANDS)
