"""An entry of the zoo: a small generator with one trait, and what of it can be pruned, reasoned out by hand.

The share of an entry is what `inspect` prints beside "cheapest plan", turned around: the share of the dense MACs that is
gone if every prunable group keeps one channel. Hands find it from `macs`, the MACs of one input as a formula of the
widths of the groups that should be found. At full width the formula must give what the independent counter counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

S = 64  # pixels of an image of 8 x 8, the usual input


@dataclass(frozen=True)
class Entry:
    """A network of the zoo.

    Attributes:
        name: Its trait, in a few words.
        make: Builds the network.
        macs: MACs of one input for widths of the groups that can be pruned; what must stay whole is a number in it.
        widths: The groups' channels at full width.
        reason: Why these groups can be pruned and the others cannot.
        inputs: What it takes, as `InputSpec.parse` reads it.
        onnx: Why its ONNX file cannot give the same output; empty if it must.
        one_at_a_time: Why its ONNX file takes one example at a time; empty if it takes batches of any size.
        in_float32: True for a network that cannot run in float64.
    """

    name: str
    make: Callable[[], nn.Module]
    macs: Callable[..., float]
    widths: tuple[int, ...]
    reason: str
    inputs: str = "3,8,8"
    onnx: str = ""
    one_at_a_time: str = ""
    in_float32: bool = False

    @property
    def dense(self) -> float:
        """MACs at full width, by hand."""
        return self.macs(*self.widths)

    @property
    def share(self) -> float:
        """Share of the MACs that is gone if every group keeps one channel, by hand."""
        return 1 - self.macs(*(1 for _ in self.widths)) / self.dense


class Net(nn.Module):
    """A network of named parts and a function of the network and its inputs.

    Args:
        run: The forward pass, as `run(net, *inputs)`.
        parts: Modules and parameters, which get these names; other tensors become buffers.
    """

    def __init__(self, run: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, *inputs: Tensor) -> Any:
        return self.run(self, *inputs)


def conv(n_in: int, n_out: int, kernel: int = 3, **settings: Any) -> nn.Conv2d:
    """A convolution that keeps the image's size."""
    return nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2, **settings)


def around(*trait: nn.Module | Callable[[Tensor], Tensor], width: int = 8, given: int | None = None) -> nn.Sequential:
    """Convolutions 3 -> width, (the trait), given -> 8, 8 -> 3; the trait works on images of 8 x 8.

    A network of this form costs `both` if the trait leaves its channels prunable, and `second` if it keeps them whole.
    """
    middle = [one if isinstance(one, nn.Module) else Net(lambda _, x, f=one: f(x)) for one in trait]
    return nn.Sequential(conv(3, width), *middle, conv(given or width, 8), nn.ReLU(), conv(8, 3))


def both(a: float, b: float) -> float:
    """MACs of `around` a trait without MACs that leaves its channels prunable."""
    return S * (27 * a + 9 * a * b + 27 * b)


def second(b: float) -> float:
    """MACs of `around` a trait without MACs that keeps its eight channels whole."""
    return both(8, b)


AB = (8, 8)
B = (8,)
