"""The commands that train: `search`, `train`, and what `resume` shares with them. Imports no torch by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...gan_models.files.errors import UserError
from . import options as opt
from .console import wide_console

if TYPE_CHECKING:
    from ..api import Study
    from .progress import Display


def search(
    model: Annotated[str | None, typer.Option(help=opt.MODEL_HELP)] = None,
    data: Annotated[str | None, typer.Option(help="builtin:shapes, builtin:stripes, or a folder of images.")] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option(help="25%, 2.5GMACs, 5GFLOPs, 1.2Mparams, 2MB, 20ms; several: the first is the objective."),
    ] = None,
    study: Annotated[str, typer.Option(help="The study's name.")] = "search",
    config: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file with any of these options; flags win.", is_eager=True, callback=opt.defaults_from_file
        ),
    ] = None,
    model_args: opt.ModelArgs = None,
    image_size: opt.ImageSize = None,
    input_shape: opt.InputShape = None,
    task: Annotated[
        str | None, typer.Option(help="paired, unpaired or unconditional; default: what the data's layout says.")
    ] = None,
    direction: Annotated[
        str | None, typer.Option(help="AtoB or BtoA: which half of an aligned image is the input.")
    ] = None,
    prune_direction: Annotated[
        str | None, typer.Option(help="Unpaired: the generator to prune, AtoB, BtoA or both.")
    ] = None,
    load_size: Annotated[
        int | None, typer.Option(help="Pixels that training images are resized to before the random crop.")
    ] = None,
    flip: Annotated[bool | None, typer.Option("--flip/--no-flip", help="Mirror training images at random.")] = None,
    strict: Annotated[bool | None, typer.Option(help="Fail on an image that cannot be read.")] = None,
    n_train: Annotated[int | None, typer.Option(help="Images of a built-in training set.")] = None,
    n_test: Annotated[int | None, typer.Option(help="Images of a built-in test set.")] = None,
    n_eval: Annotated[int | None, typer.Option(help="Most images that quality is measured on; 0 for all.")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Real images: test-vs-test (default), test-vs-train+test or test-vs-train."),
    ] = None,
    health: Annotated[
        str | None,
        typer.Option(help="What ends a training early: checks=8,diversity=0.05,duplicates=0.9,accuracy=1; or off."),
    ] = None,
    convention: Annotated[str | None, typer.Option(help="exact, or published: MACs as papers print them.")] = None,
    methods: Annotated[
        str | None, typer.Option(help="Methods that compete; default: uniform,coronet,mggc,widths.")
    ] = None,
    share: Annotated[str | None, typer.Option(help="Shares of the trials: coronet=0.5,widths=0.1.")] = None,
    trials: opt.Trials = None,
    hours: opt.Hours = None,
    teacher: Annotated[
        str | None, typer.Option(help="Weights of the generator: FILE, FILE::key, AtoB=FILE,BtoA=FILE.")
    ] = None,
    teacher_discriminator: Annotated[str | None, typer.Option(help="Weights of its discriminator.")] = None,
    teacher_train_mode: Annotated[
        bool | None, typer.Option(help="Run the teacher in train mode, as upstream pix2pix tests.")
    ] = None,
    teacher_steps: Annotated[
        int | None, typer.Option(help="Training steps of the teacher, or of its discriminator's warm-up.")
    ] = None,
    prune_steps: Annotated[
        int | None, typer.Option(help="Training steps that a method may spend; default: 30 % of all steps.")
    ] = None,
    finetune_steps: Annotated[
        int | None, typer.Option(help="Training steps after pruning; default: the rest of 4000.")
    ] = None,
    rungs: Annotated[
        str | None, typer.Option(help="Shares of the fine-tuning at which trials are measured: 0.25,0.5.")
    ] = None,
    reduction: Annotated[
        int | None,
        typer.Option(help="At a rung one trial in so many goes on; 0: all; default: 3 from 8 trials on."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a training step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    d_steps: opt.DSteps = None,
    distill: Annotated[
        float | None, typer.Option(help="Weight of |output - teacher's output| in fine-tuning; 0 is off.")
    ] = None,
    distill_features: Annotated[
        float | None, typer.Option(help="Weight of feature matching in fine-tuning; 0 is off.")
    ] = None,
    adversarial: Annotated[str | None, typer.Option(help="vanilla, lsgan or hinge.")] = None,
    ndf: Annotated[int | None, typer.Option(help="Channels after the discriminator's first layer.")] = None,
    n_layers: Annotated[
        int | None, typer.Option(help="Strided layers of the PatchGAN; default: by image size.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="inception (FID), shapes (bundled encoder), or auto.")] = None,
    vgg_weights: Annotated[str | None, typer.Option(help="Path of torchvision's VGG-16 weights (slimming).")] = None,
    setting: Annotated[
        list[str] | None, typer.Option(help="A method's setting, which is then not searched: coronet.embedding=1.")
    ] = None,
    inception_weights: Annotated[str | None, typer.Option(help="Path of pytorch-fid's Inception weights.")] = None,
    sampler: Annotated[str | None, typer.Option(help="linear, tpe, nsga2, gp, random or qmc.")] = None,
    mode: Annotated[
        str | None, typer.Option(help="pareto: the whole front; target: quality at the budget alone.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything.")] = None,
    deterministic: Annotated[
        bool | None, typer.Option(help="Ask in fixed batches: the same study gives the same trials.")
    ] = None,
    prune: Annotated[list[str] | None, typer.Option(help="Pattern of groups to prune; repeatable.")] = None,
    keep: Annotated[list[str] | None, typer.Option(help="Pattern of groups to leave whole; repeatable.")] = None,
    tie: Annotated[list[str] | None, typer.Option(help="Pattern of groups that share one ratio; repeatable.")] = None,
    channel_multiple: Annotated[int | None, typer.Option(help="Widths are multiples of this, or full.")] = None,
    bits: Annotated[
        str | None,
        typer.Option(help="Bits of trials: 32, 8 or 32,8; default: 32,8 where bytes are budgeted."),
    ] = None,
    per_channel: Annotated[
        bool | None, typer.Option(help="8-bit weights with one scale an output channel; else one a layer.")
    ] = None,
    quantiser: Annotated[
        str | None,
        typer.Option(help="Grids of 8-bit trials: signed, or published (GAN Slimming's; --no-per-channel is its too)."),
    ] = None,
    data_workers: Annotated[int | None, typer.Option(help="Processes that read images ahead of a training.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    artifacts: opt.Artifacts = None,
    executor: opt.ExecutorName = "ray",
    cpus_per_trial: opt.CpusPerTrial = 1,
    gpus_per_trial: opt.GpusPerTrial = None,
    max_concurrent: opt.MaxConcurrent = None,
    ray_address: opt.RayAddress = "local",
    insecure: opt.Insecure = False,
    max_attempts: opt.MaxAttempts = 5,
    disk_quota: opt.DiskQuota = None,
    latency_profile: opt.LatencyProfile = "",
    device_command: opt.DeviceCommand = "",
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Train nothing: a dry run on drawn qualities, and the hours."),
    ] = False,
    seconds_per_step: Annotated[
        float | None, typer.Option(help="With --simulate: of one training step; default: measured in a few steps.")
    ] = None,
    as_json: opt.Json = False,
) -> None:
    """Launch a search with a target budget."""
    from ..api import RunOptions, Search

    flat = {
        "image_size": image_size, "input_shape": input_shape, "task": task, "direction": direction,
        "prune_network": prune_direction, "load_size": load_size, "flip": flip, "strict": strict, "n_train": n_train,
        "n_test": n_test, "n_eval": n_eval, "protocol": protocol,
        "health": opt.read_health(health), "convention": convention, "methods": opt.read_list(methods),
        "shares": opt.read_shares(share), "trials": trials, "hours": hours, "teacher": teacher,
        "teacher_discriminator": teacher_discriminator, "teacher_train_mode": teacher_train_mode,
        "teacher_steps": teacher_steps, "prune_steps": prune_steps, "finetune_steps": finetune_steps,
        "reduction": reduction, "metric": metric, "inception_weights": inception_weights, "vgg_weights": vgg_weights,
        "sampler": sampler,
        "mode": mode, "seed": seed, "deterministic": deterministic, "prune": prune, "keep": keep, "tie": tie,
        "channel_multiple": channel_multiple, "device": device, "data_workers": data_workers,
        "model_args": opt.read_arguments(model_args) if model_args is not None else None,
        "bits": [_bits(part) for part in opt.read_list(bits) or []] if bits is not None else None,
        "rungs": [_number(part) for part in opt.read_list(rungs) or []] if rungs is not None else None,
        "method_settings": opt.read_arguments(",".join(setting)) if setting else None,
    }  # fmt: skip
    given: dict[str, Any] = {name: value for name, value in flat.items() if value not in (None, [])}
    opt.nested(given, "recipe", batch_size=batch_size, lr=lr, d_steps=d_steps)
    opt.nested(given, "recipe", distill_output=distill, distill_features=distill_features)
    opt.nested(given, "teacher_recipe", batch_size=batch_size, lr=lr, d_steps=d_steps)
    opt.nested(given, "task_settings", adversarial=adversarial)
    opt.nested(given, "quantisation", per_channel=per_channel, scheme=quantiser)
    judge: dict[str, Any] = {}
    opt.nested(judge, "discriminator", ndf=ndf, n_layers=n_layers)
    opt.nested(given, "task_settings", **judge)
    run_options = RunOptions(
        executor, cpus_per_trial, gpus_per_trial, max_concurrent, ray_address, insecure,  # type: ignore[arg-type]
        max_attempts=max_attempts, disk_quota=disk_quota, device_command=device_command,
    )  # fmt: skip
    for option, value in (("--model", model), ("--data", data), ("--budget", budget)):
        if not value:
            raise UserError(f"{option} is missing: give it as a flag or in --config FILE.toml")
    assert model is not None
    assert data is not None
    wanted = Search(model, data, budget or "", study, given, storage, artifacts, run_options, latency_profile)
    plan = wanted.plan()
    for note in plan.notes:
        wide_console(stderr=True).print(f"note: {note}", highlight=False)
    dense = plan.dense[plan.cost]
    if simulate:
        from ..simulate import estimate
        from ..simulate import simulate as dry_run

        found = shown_search("simulated", dense, lambda show: dry_run(wanted, show.event, seconds_per_step), as_json)
        wide_console(stderr=as_json).print(estimate(found.record, run_options).line(), highlight=False)
        return
    if seconds_per_step is not None:
        raise UserError("--seconds-per-step is for --simulate; a search measures its trials itself")
    shown_search(plan.config.metric, dense, lambda show: wanted.run(show.event, show.teacher), as_json)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{text!r} is no number; rungs are shares such as 0.25,0.5") from None


def _bits(text: str) -> int:
    if text not in ("8", "32"):
        raise UserError(f"--bits {text} is unknown; use 32, 8 or 32,8")
    return int(text)


def shown_search(metric: str, dense: float, run: Callable[[Display], Study], as_json: bool) -> Study:
    """Runs a search under a display, prints its front, and returns the study.

    Args:
        metric: The quality's encoder.
        dense: Cost of the dense network, for shares.
        run: The search; listens through the display.
        as_json: Print JSON on standard output, everything else on standard error.

    Raises:
        TooManyFailed: It ended by failures; its front is printed before.
    """
    from ...evaluators.measurement import frechet_name
    from .progress import Display
    from .results import print_front

    console = wide_console(stderr=as_json)
    name = frechet_name(metric, 1).partition(",")[0] + "]"
    with Display(console, name, dense).live() as show:
        study = run(show)
    print_front(study.record, console, as_json)
    show.refuse_failures(study.record)
    return study


def train_teacher(
    model: opt.Model,
    data: Annotated[str, typer.Option(help="builtin:shapes, builtin:stripes, or a folder of images.")],
    out: Annotated[
        Path, typer.Option(help="File of the generator's weights, .safetensors; the discriminator goes beside it.")
    ],
    model_args: opt.ModelArgs = None,
    image_size: opt.ImageSize = None,
    input_shape: opt.InputShape = None,
    task: Annotated[str | None, typer.Option(help="paired, unpaired or unconditional.")] = None,
    direction: Annotated[str | None, typer.Option(help="AtoB or BtoA.")] = None,
    steps: Annotated[int, typer.Option(help="Training steps.")] = 20_000,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    d_steps: opt.DSteps = None,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train a teacher apart from a search."""
    from .train_teacher import train_to_file

    given: dict[str, Any] = {"model": model, "data": data, "teacher_steps": steps, "seed": seed, "device": device}
    flat = {"image_size": image_size, "input_shape": input_shape, "task": task, "direction": direction}
    given |= {name: value for name, value in flat.items() if value is not None}
    if model_args is not None:
        given["model_args"] = opt.read_arguments(model_args)
    opt.nested(given, "teacher_recipe", batch_size=batch_size, lr=lr, d_steps=d_steps)
    for line in train_to_file(given, out, wide_console(stderr=True)):
        print(line)
