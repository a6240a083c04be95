"""Defaults of a search whose methods and steps are not given: the methods that won the comparison, and their steps.

Compared with refitted uniform plans, `reconstruct` has the smaller mean distance on each of four tasks at 25 % of the
MACs, and `coronet` the smallest on one (docs/measurements.md). With a fourth learned method, each would have too few
trials in a short search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import nn

from ...gan_models.files.meta_device import build_for_shapes
from ...gan_models.files.texts.number_text import counted
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.pruning.catalog import TRAINED, fixed_for, method_sizes, method_spec
from ...gan_models.training.device_memory import GB, free_bytes
from ...gan_models.training.loop import best_device
from ..config import STEPS_TO_BE_CHOSEN, StudyConfig
from .pruned_generators import one_network

METHODS = ("uniform", "reconstruct", "coronet", "widths")
MIN_TRIALS_FOR_WIDTHS = 30  # number of trials below which the width search learns too little to be worth its share
STEPS = 4_000  # steps of one trial, pruning and fine-tuning together
PRUNE_SHARE = 0.3  # pruning's share of a trial's steps, as in the comparison
MIN_PRUNE_STEPS = 30  # chosen: 60 of 300 steps are as good as 90 (docs/measurements.md), and fewer were not measured


def steps_of(prune: int, finetune: int, trains: bool) -> tuple[int, int]:
    """Return the steps of pruning and of fine-tuning; given ones are kept, and open ones follow from them.

    Args:
        prune: Steps, or STEPS_TO_BE_CHOSEN.
        finetune: Steps, or STEPS_TO_BE_CHOSEN.
        trains: True if a method trains while it prunes; otherwise no pruning steps are reserved.
    """
    if prune == STEPS_TO_BE_CHOSEN and finetune == STEPS_TO_BE_CHOSEN:
        prune = round(PRUNE_SHARE * STEPS) if trains else 0
    if prune == STEPS_TO_BE_CHOSEN:
        prune = max(1, round(PRUNE_SHARE / (1 - PRUNE_SHARE) * finetune)) if trains else 0
    if finetune == STEPS_TO_BE_CHOSEN:
        finetune = max(STEPS - prune, round((1 - PRUNE_SHARE) / PRUNE_SHARE * prune))
    return prune, finetune


def with_methods(config: StudyConfig) -> tuple[StudyConfig, list[str]]:
    """Return the configuration with methods and steps decided, and notes for the user."""
    short = config.trials < MIN_TRIALS_FOR_WIDTHS
    alone = bool(config.own_training)  # ganprune's training loop does not run
    usual = tuple(m for m in METHODS if not (short and method_spec(m).searches_ratios))
    methods = config.methods or tuple(m for m in usual if not (alone and method_spec(m).trains))
    notes = []
    blind = [name for name in methods if method_spec(name).calibrated and config.calibration_images == 0]
    if blind and not config.methods:
        methods = tuple(name for name in methods if name not in blind)
        notes.append(f"{', '.join(blind)} is omitted: it scores plans on calibration inputs, and there are none")
    trained = [name for name in methods if method_spec(name).trains]
    trains = bool(trained) or config.recipe.rounds > 1
    prune, finetune = steps_of(config.prune_steps, config.finetune_steps, trains)
    few = prune == 0 or (config.prune_steps == STEPS_TO_BE_CHOSEN and prune < MIN_PRUNE_STEPS)
    if trained and few and not config.methods:
        methods = tuple(name for name in methods if name not in trained)
        steps = f"{prune} of {prune + finetune} steps are too few to prune in" if prune else "no steps to prune in"
        left_out = f"methods that train are omitted ({', '.join(trained)})"
        notes.append(f"{steps}: {left_out}; --prune-steps or --methods includes them anyway")
        prune, finetune = steps_of(config.prune_steps, config.finetune_steps, config.recipe.rounds > 1)
    return replace(config, methods=methods, prune_steps=prune, finetune_steps=finetune), notes


def within_memory(
    config: StudyConfig, parts: Sequence[ChannelGroups], open_methods: bool, sharing: Callable[[str], int]
) -> tuple[StudyConfig, list[str]]:
    """Return the configuration without settings, or methods, that do not fit into the device's free memory.

    If only some settings fit, one that fits is fixed. A method without any is omitted if the user named no methods, and
    kept with a warning otherwise.

    Args:
        config: The configuration, with its methods decided.
        parts: Groups of each pruned generator, in order.
        open_methods: True if the user named no methods.
        sharing: Number of trials that share the memory of a kind of device; 0 if it is another machine's, and unknown.
    """
    device = best_device(config.device)
    at_once = sharing(device.type)
    free = free_bytes(device) if at_once else None
    if free is None:
        return config, []
    notes, kept, fixed = [], [], dict(config.method_settings)
    model = build_for_shapes(lambda: one_network(config))
    for name in config.methods:
        rows = _rows(name, model, parts, fixed_for(name, fixed))
        fit = [settings for settings, needed in rows if at_once * needed <= free]
        kept.append(name)
        if len(fit) == len(rows):
            continue
        asked = f"{at_once * rows[0][1] / GB:.1f} GB for {counted(at_once, 'trial')} at once"
        need = f"{asked}, but {device} has {free / GB:.1f} GB free"
        if fit:
            fixed |= {f"{name}.{setting}": value for setting, value in fit[0].items()}
            chosen = ", ".join(f"{setting}={value}" for setting, value in fit[0].items())
            notes.append(f"{name} needs {need}: it is searched with {chosen} only")
        elif open_methods:
            kept.remove(name)
            notes.append(f"{name} is omitted: it needs {need}. Try --max-concurrent 1 or a larger device")
        else:
            notes.append(f"trials of {name} will fail: it needs {need}")
    return replace(config, methods=tuple(kept), method_settings=fixed), notes


def _rows(
    name: str, model: nn.Module, parts: Sequence[ChannelGroups], fixed: dict[str, object]
) -> list[tuple[dict[str, object], int]]:
    """Return the settings of a method that determine its memory, of those left open, with bytes in training."""
    known = {setting.name for setting in method_spec(name).all_settings}
    tables = [method_sizes(name, model, groups) for groups in parts]
    rows = []
    for row in zip(*tables, strict=True):
        settings: dict[str, object] = {key: value for key, value in row[0].items() if key in known}
        if all(fixed.get(key, value) == value for key, value in settings.items()):
            rows.append((settings, max(part[TRAINED] for part in row)))
    return rows
