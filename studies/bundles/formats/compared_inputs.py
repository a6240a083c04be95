"""The inputs that a file and its network are compared on: random examples, and inputs of a study or of a user.

Random examples have values that no image has. An error that only real inputs show is found on real inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ....gan_models.files.texts.number_text import counted
from ....gan_models.networks.specs import InputSpec
from ...inference.sizes import follows

BATCHES = (1, 4)  # the exported batch size is free, so more than one is compared
N_REAL = 8


@dataclass(frozen=True)
class RealInputs:
    """Inputs that a generator really meets.

    Attributes:
        name: Their name in messages: of one, and of several.
        read: Gives one batch (N, ...) of each input on the CPU, as the network's own code takes them; nothing if they
            are not available.
    """

    name: tuple[str, str]
    read: Callable[[], tuple[Tensor, ...]]


@dataclass(frozen=True)
class ComparedInputs:
    """The batches that a file and its network are compared on.

    Attributes:
        batches: Of random examples, then of real inputs.
        text: The inputs in words.
    """

    batches: tuple[tuple[Tensor, ...], ...]
    text: str

    @classmethod
    def of(cls, inputs: InputSpec, real: RealInputs | None = None) -> ComparedInputs:
        """Return random examples, and the first real inputs if there are any.

        Args:
            inputs: What the file takes. Real pictures of another size are resized to it.
            real: Real inputs; None for none.
        """
        examples = sum(BATCHES)
        text = counted(examples, "random input")
        given = () if real is None else real.read()
        if real is None or not given:
            return cls(tuple(batches_of(inputs)), text)
        given = resized(tuple(x[:N_REAL] for x in given), inputs)
        batches = (*batches_of(inputs), *_split(given, BATCHES))
        return cls(batches, f"{counted(len(given[0]), *real.name)} and {text}")


def batches_of(inputs: InputSpec) -> Iterator[tuple[Tensor, ...]]:
    """Yield random examples in batches of 1 and 4."""
    yield from _split(inputs.examples(sum(BATCHES)), BATCHES)


def resized(batch: tuple[Tensor, ...], inputs: InputSpec) -> tuple[Tensor, ...]:
    """Return a batch whose pictures and label maps have the sizes of the inputs."""
    found = []
    for x, one in zip(batch, inputs.inputs, strict=True):
        sides = tuple(one.shape[-2:])
        if not (follows(one, inputs) and tuple(x.shape[-2:]) != sides):
            found.append(x)
        elif one.is_map:
            found.append(interpolate(x[:, None].float(), sides, mode="nearest")[:, 0].to(x.dtype))
        else:
            whole = one.kind == "mask"
            found.append(interpolate(x, sides, mode="nearest" if whole else "area"))
    return tuple(found)


def _split(batch: Sequence[Tensor], sizes: Sequence[int]) -> Iterator[tuple[Tensor, ...]]:
    """Yield parts of a batch of these sizes, then what remains in parts of the last size."""
    first, n = 0, len(batch[0])
    for size in (*sizes, *[sizes[-1]] * n):
        if first < n:
            yield tuple(x[first : first + size] for x in batch)
        first += size


def joined(batches: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Return batches as one."""
    return tuple(torch.cat(parts) for parts in zip(*batches, strict=True))
