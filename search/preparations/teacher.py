"""The dense generator that a search starts from: loaded or trained, measured, and kept with the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...evaluators.features.cache import sample_tensors
from ...evaluators.features.catalog import AUTO, ENCODERS, choose_encoder, load_encoder
from ...evaluators.features.encoders import Encoder
from ...evaluators.features.feature_maps import vgg_maps
from ...gan_models.checkpoints.checkpoint import load_into, save_weights
from ...gan_models.checkpoints.state_dicts import located
from ...gan_models.data.dataset import fingerprint, open_split
from ...gan_models.data.layouts import detect_task
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import file_sha256
from ...gan_models.files.seeds import mixed
from ...gan_models.networks.catalog import build
from ...gan_models.tasks.task import Task, make_task
from ...gan_models.training.loop import Networks, best_device, train
from ..config import StudyConfig
from ..setup.compatibility import fitted
from ..setup.defaults import with_methods
from ..setup.pruned_generators import BOTH, pruned_names, pruned_network
from ..strategy.early_stopping import default_reduction
from ..strategy.proposals import ladder_size
from .eval_images import RealImages
from .opened_study import REAL, TEACHER, open_bench

OnStep = Callable[[int, int, dict[str, float]], None]


def resolve(config: StudyConfig) -> tuple[StudyConfig, list[str]]:
    """The configuration with everything that was left open decided, and what a user should be told of it.

    Raises:
        ValueError: The data's layout says no task, or Inception's weights are asked for and not there.
    """
    config, notes = with_methods(config)
    task = config.known_task() or detect_task(config.data)
    config = fitted(config, task)
    given = {"inception": Path(config.inception_weights)} if config.inception_weights else {}
    metric, found = choose_encoder(config.metric, given)
    if config.metric == AUTO and metric != next(iter(ENCODERS)):
        notes.append("no Inception weights at hand: quality is fd[shapes], a distance in the bundled encoder, not FID")
    weights = str(found.absolute()) if found else ""
    settings = dict(config.task_settings)
    if task == "unpaired" and _single_file(config.teacher) and "directions" not in settings:
        if config.prune_network == BOTH:
            raise UserError("--prune-direction both needs both generators: --teacher AtoB=FILE,BtoA=FILE")
        settings["directions"] = [config.prune_network or "AtoB"]
        if not config.recipe.distils:
            raise UserError("one generator alone has no cycle to learn from: leave --distill above 0, or give both")
        notes.append(f"one generator given: {settings['directions'][0]} is distilled, without cycle")
    if config.teacher and not config.teacher_discriminator:
        notes.append(
            "no --teacher-discriminator: one is trained against the frozen teacher first, for "
            f"{config.teacher_steps:,} steps (--teacher-steps)"
        )
    if task != "unconditional":
        judge = dict(settings.get("discriminator", {}))
        settings["discriminator"] = judge | {"n_layers": judge.get("n_layers", _patch_layers(config.image_size))}
    resolved = replace(
        config,
        task=task,
        metric=metric,
        inception_weights=weights,
        vgg_weights=_vgg(config.vgg_weights),
        task_settings=settings,
        ladder=config.ladder or ladder_size(config.trials, config.methods),
        reduction=default_reduction(config.trials) if config.reduction is None else config.reduction,
    )
    return replace(resolved, prune_network=pruned_network(resolved)), notes


def _vgg(weights: str) -> str:
    """The weights' path wherever the study goes on; ValueError where they are not VGG-16's."""
    if weights:
        vgg_maps(Path(weights))
    return str(Path(weights).absolute()) if weights else ""


def _patch_layers(image_size: int) -> int:
    """Strided layers of a PatchGAN that leave it a map to judge: upstream's 3 (70 pixels) from 64 pixels on."""
    return 3 if image_size >= 64 else 2 if image_size >= 32 else 1


def _single_file(text: str) -> bool:
    return bool(text) and "=" not in text


def files_by_network(text: str, names: tuple[str, ...], option: str) -> dict[str, Path]:
    """Weight files by generator: `path`, or `AtoB=path,BtoA=path`; each may end in `::key`, which stays on the path.

    Raises:
        ValueError: A name the task does not have, a name missing, or a file that is not there.
    """
    if not text:
        return {}
    if _single_file(text):
        if len(names) > 1:
            form = ",".join(f"{name}=FILE" for name in names)
            raise UserError(f"{option} {text!r}: the task has {', '.join(names)}; name each, {form}")
        files = {name: Path(text) for name in names}
    else:
        files = {name: Path(path) for name, _, path in (part.partition("=") for part in text.split(","))}
    if set(files) != set(names):
        raise UserError(f"{option} names {', '.join(files)}; the task has {', '.join(names)}")
    for path in files.values():
        if not located(path)[0].is_file():
            raise UserError(f"{option} {located(path)[0]} is not a file")
    return files


def make_teacher(config: StudyConfig, folder: Path, on_step: OnStep | None = None) -> dict[str, Any]:
    """Loads or trains the teacher into a folder and measures it; what is done already is not done again.

    Args:
        config: Resolved configuration.
        folder: The study's folder of the teacher.
        on_step: Called with (step, steps, losses).

    Returns:
        The artifact: `path`, `sha256` of its record, `measurements`, `data` (content hash), `seconds`, `origin`.

    Raises:
        ValueError: Weights that do not fit, data that cannot be read.
    """
    record = read_json(folder / TEACHER)
    if record is None:
        record = _make(config, folder, on_step)
        write_json(folder / TEACHER, record)
    artifact = {"path": str(folder), "sha256": file_sha256(folder / TEACHER)}
    if "measurements" not in record:
        bench = open_bench(config, artifact)
        measured = bench.measure(bench.joined(bench.generators), full=True)
        record["measurements"] = [m.to_json() for m in measured]
        write_json(folder / TEACHER, record)
        artifact["sha256"] = file_sha256(folder / TEACHER)
    return artifact | {key: record[key] for key in ("measurements", "data", "seconds", "origin")}


def _make(config: StudyConfig, folder: Path, on_step: OnStep | None) -> dict[str, Any]:
    task = make_task(config.task, config.task_settings, config.seed)
    names, device = task.generator_names, best_device(config.device)
    given = files_by_network(config.teacher, names, "--teacher")
    judges = files_by_network(config.teacher_discriminator, names, "--teacher-discriminator")
    if judges and not given:
        raise UserError("--teacher-discriminator needs --teacher: a new generator is trained with a new discriminator")
    spec = config.data_spec()
    data, test = open_split(spec, "train"), open_split(spec, "test")
    networks = _networks(config, task, given, judges)
    seconds = 0.0
    if not judges:
        steps = config.teacher_steps
        if steps < 1:
            what = "discriminator, or give --teacher-discriminator" if given else "teacher, or give --teacher"
            raise UserError(f"teacher_steps is 0: use 1 or more to train the {what}")
        for generator in networks.generators.values():
            generator.requires_grad_(not given)
        # A generator alone needs a discriminator that knows it: with frozen generators the loop trains only D.
        trained = train(
            task,
            networks,
            data,
            replace(config.teacher_recipe, distill_output=0.0, distill_features=0.0)
            if not given
            else config.teacher_recipe,
            steps=steps,
            seed=mixed(config.seed, 1),
            device=device,
            teacher=dict(networks.generators.items()) if given else None,
            checkpoint_dir=folder / "checkpoint",
            checkpoint_every=max(100, steps // 20),
            workers=config.data_workers,
            on_step=None if on_step is None else lambda step, losses: on_step(step, steps, losses),
        )
        seconds = trained.seconds
    files = {}
    for kind, modules in (("generator", networks.generators), ("discriminator", networks.discriminators)):
        for name, module in modules.items():
            path = folder / f"{kind}-{name}.safetensors"
            files[path.name] = save_weights(module.cpu(), path)
    weights = Path(config.inception_weights) if config.inception_weights else None
    content = fingerprint(spec)
    files[REAL] = _real_features(config, content, load_encoder(config.metric, weights).to(device), folder, device)
    origin = {name: {"file": path.name, "sha256": file_sha256(located(path)[0])} for name, path in given.items()}
    return {
        "model": config.model,
        "arguments": dict(config.model_args),
        "task": config.task,
        "files": files,
        "origin": origin or f"trained for {config.teacher_steps} steps",
        "data": content,
        "skipped": len(data.skipped) + len(test.skipped),
        "seconds": seconds,
    }


def renew_real(config: StudyConfig, folder: Path, others: Callable[[], None]) -> None:
    """Real features are taken anew, of the data and in the encoder that there are now; the teacher is measured anew.

    Args:
        config: Resolved configuration.
        folder: The study's folder of the teacher.
        others: Called where they are others than before, so that qualities before and after cannot be compared; before
            the teacher's record says so, so that a crash in between does not hide it.
    """
    record = read_json(folder / TEACHER)
    if record is None:
        others()  # they are taken with the teacher
        return
    device, content = best_device(config.device), fingerprint(config.data_spec())
    weights = Path(config.inception_weights) if config.inception_weights else None
    now = _real_features(config, content, load_encoder(config.metric, weights).to(device), folder, device)
    if now != record["files"].get(REAL):
        others()
    record |= {"data": content, "files": record["files"] | {REAL: now}}
    write_json(folder / TEACHER, {key: value for key, value in record.items() if key != "measurements"})


def _networks(config: StudyConfig, task: Task, given: Mapping[str, Path], judges: Mapping[str, Path]) -> Networks:
    """Networks with their weights, drawn from the study's seed or read from files."""
    generators = {}
    with torch.random.fork_rng(devices=[]):
        for i, name in enumerate(task.generator_names):
            torch.manual_seed(mixed(config.seed, 2, i))
            generators[name] = build(config.model, config.model_args)
    discriminators = task.make_discriminators(config.seed)
    for name, path in given.items():
        load_into(generators[name], path)
    for name, path in judges.items():
        load_into(discriminators[name], path)
    return Networks(nn.ModuleDict(generators), discriminators)


def _real_features(config: StudyConfig, content: str, encoder: Encoder, folder: Path, device: torch.device) -> str:
    tensors = {}
    for name in pruned_names(config):
        images = RealImages(config.data_spec(), name, config.protocol, config.n_eval)
        sample = images.features(encoder, device, content)
        parts = {f"{name}/{key}": value for key, value in sample_tensors(sample).items()}
        tensors |= {name: sample.features} if sample.whole else parts
    return save_weights(tensors, folder / REAL)
