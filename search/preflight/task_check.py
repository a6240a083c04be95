"""The check of a user's own task: one step of its losses on two items, with fresh weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from ...gan_models.data.dataset import batches
from ...gan_models.files.errors import UserError
from ...gan_models.files.user_code import refused
from ...gan_models.tasks.catalog import TASKS
from ...gan_models.tasks.task import Task
from ..preparations.opened_study import OpenedStudy
from ..setup.pruned_generators import new_discriminators, one_network
from .finding import Finding
from .launch import Launch

N_ITEMS = 2


def own_task(launch: Launch) -> Iterator[Finding]:
    """Yield that a step of a user's or another package's task works; nothing for ganprune's tasks.

    Raises:
        UserError: Its code raises, or returns wrong inputs of the generator or invalid losses.
    """
    study = launch.study
    if study is None or launch.config.task in TASKS.own:
        return
    try:
        terms = _stepped(study)
    except UserError:
        raise
    except Exception as error:  # a user's code may raise anything
        raise refused(f"task {launch.config.task}", error) from error
    yield Finding("passed", f"a step of the task {study.task().name}: {', '.join(terms)}")


def _stepped(study: OpenedStudy) -> list[str]:
    """Return the names of the generators' losses, after a step of each network on the CPU."""
    config, task = study.config, study.task()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        generators = {name: one_network(config).cpu().train() for name in task.generator_names}
        judges: Mapping[str, nn.Module] = dict(new_discriminators(config, task, study.output).cpu().items())
    batch = next(batches(study.train_data, N_ITEMS, config.seed))
    for name in study.names:
        _check_inputs(study, task, name, task.inputs(batch, name))
    terms, outputs = task.generator_losses(generators, judges, batch)
    if not isinstance(terms, Mapping) or not terms or not isinstance(outputs, Mapping):
        raise _wrong(config.task, "generator_losses", (terms, outputs), "({name: loss, ...}, {generator: outputs})")
    for name, loss in terms.items():
        _check_loss(config.task, f"the term {name} of generator_losses", loss)
    sum(terms.values(), torch.zeros(())).backward()
    for name in task.generator_names:
        given = outputs.get(name)
        if not isinstance(given, Tensor) or given.dim() != 4:
            raise _wrong(config.task, f"outputs of {name}", given, "images [N, C, H, W]")
    loss = task.discriminator_loss({name: each.detach() for name, each in outputs.items()}, judges, batch)
    _check_loss(config.task, "discriminator_loss", loss)
    loss.backward()
    for name in study.names:
        reals, wanted = task.reals(batch, name), (N_ITEMS, study.output.channels, *study.output.size)
        if not isinstance(reals, Tensor) or tuple(reals.shape) != wanted:
            raise _wrong(config.task, f"reals of {name}", reals, _shape(wanted))
    return list(terms)


def _check_inputs(study: OpenedStudy, task: Task, name: str, given: tuple[Tensor, ...]) -> None:
    """Check that a generator gets the inputs that it takes."""
    wanted = [(N_ITEMS, *one.shape) for one in study.config.inputs.inputs]
    whole = isinstance(given, tuple) and all(isinstance(x, Tensor) for x in given)
    if not whole or [tuple(x.shape) for x in given] != wanted:
        raise _wrong(study.config.task, f"inputs of {name}", given, f"a tuple of {', '.join(map(_shape, wanted))}")


def _check_loss(task: str, what: str, loss: object) -> None:
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        raise _wrong(task, what, loss, "one number as a tensor")
    if not bool(torch.isfinite(loss.detach())):
        raise _wrong(task, what, float(loss.detach()), "a finite number")
    if not loss.requires_grad:
        raise _wrong(task, what, "a tensor without gradient", "one that depends on the networks")


def _wrong(task: str, what: str, found: object, expected: str) -> UserError:
    return UserError(f"task {task} does not return {what}: got {_shown(found)}; expected {expected}")


def _shown(found: object) -> str:
    if isinstance(found, Tensor):
        return _shape(tuple(found.shape))
    if isinstance(found, tuple):
        return f"a tuple of {', '.join(map(_shown, found)) or 'nothing'}"
    return str(found) if isinstance(found, str | float) else type(found).__name__


def _shape(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes)) or "one number"
