"""Requirements of every method on a generator, checked before any training."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ...gan_models.checkpoints.checkpoint import load_into
from ...gan_models.files.errors import UserError
from ...gan_models.files.meta_device import build_for_shapes, run_for_shapes
from ...gan_models.networks.output_selection import named_outputs, shown
from ...gan_models.networks.specs import InputSpec
from ...gan_models.tasks.task import make_task
from ..config import StudyConfig
from .pruned_generators import one_network
from .weight_files import files_by_network

MAX_REORDERED_INPUTS = 4  # maximum number of inputs for which every order is tried


def check_output(model: str, network: nn.Module, inputs: InputSpec) -> tuple[str, ...]:
    """Run a network for its shapes, and check its output.

    Args:
        model: Its name, for messages.
        network: Any network; one that cannot run passes, because other checks report the reason.
        inputs: Its inputs.

    Returns:
        Operators that draw random numbers in eval mode.

    Raises:
        UserError: Its output is not one tensor, or it has no output of the chosen name.
    """
    seen = _RandomCalls()

    def run(copied: nn.Module, example: tuple[Tensor, ...]) -> Any:
        with torch.no_grad(), torch.device(example[0].device), seen:
            return copied(*example)

    try:
        given = run_for_shapes(network, inputs.examples(2), run)
    except UserError:
        raise
    except Exception as error:  # a user's network may raise anything
        if (taken := _other_order(network, inputs, run)) is not None:
            raise UserError(
                f"the generator {model} takes its inputs in another order: got {inputs.text}; expected {taken.text}. "
                f"Try --input-shape '{taken.text}'"
            ) from error
        return tuple(seen.names)
    if not isinstance(given, Tensor):
        outputs = dict(named_outputs(given))
        what = f"a {type(given).__name__}" + (f" of {len(given)}" if isinstance(given, tuple | list | dict) else "")
        pictures = [name for name, x in outputs.items() if x.dim() == 4 and x.shape[1] == 3]
        likely = next(iter((*pictures, *outputs)), None)
        cure = f"name the one that counts, --output {likely}" if outputs else "return the image, one tensor"
        raise UserError(f"the generator {model} returns {what}: got {shown(outputs)}. Try to {cure}")
    return tuple(seen.names)


def check_generator(config: StudyConfig) -> None:
    """Check for one output that is equal in repeated calls: a cut network is compared with the gated one by outputs.

    A network without random numbers is only traced. Otherwise it is run twice, with the given weights.

    Args:
        config: The resolved configuration.

    Raises:
        ValueError: There are several outputs, or a trained network's outputs differ, or may differ, between calls.
    """
    network = build_for_shapes(lambda: one_network(config))
    random = check_output(config.model, network, config.inputs)
    if not random:
        return
    names = make_task(config.task, config.task_settings, config.seed).generator_names
    given = files_by_network(config.teacher, names, "--teacher")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(config.seed)
        network = one_network(config).eval()
        if given:
            load_into(network, next(iter(given.values())))
        example = config.inputs.examples()
        difference = float((network(*example) - network(*example)).abs().max())
    if given and difference == 0:
        return  # random numbers may be multiplied by zero weights
    shown = (
        f"two calls on the same input differ by {difference:.3g}"
        if difference
        else "trained weights would show a difference"
    )
    raise UserError(
        f"the generator {config.model} is random in eval mode ({', '.join(random)}; {shown}), so it cannot be "
        f"compared with a cut of it. Try to store its noise in a buffer, and to use dropout only if self.training"
    )


def _other_order(network: nn.Module, inputs: InputSpec, run: Callable[..., Any]) -> InputSpec | None:
    """Return the order of inputs in which a network runs; None if there is none, or there are too many inputs."""
    if not 1 < len(inputs) <= MAX_REORDERED_INPUTS:
        return None
    for order in list(permutations(inputs.inputs))[1:]:
        try:
            run_for_shapes(network, InputSpec(order).examples(2), run)
        except Exception:  # as above
            continue
        return InputSpec(order)
    return None


class _RandomCalls(TorchDispatchMode):
    """A recorder of the operators that draw random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, None] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.names[func.overloadpacket.__name__] = None
        return func(*args, **(kwargs or {}))
