"""Peak activation memory of one forward pass, by following every tensor from the operator that makes it to its end.

Convention: the largest sum, at any moment of an eager forward pass in eval mode without gradients, of the bytes of
all live tensors that are neither parameters nor buffers; the input counts to the end (its caller holds it), views and
in-place results count once.
Working memory inside an operator (an unfolded convolution) is the runtime's own and is not in it. Per image: exact for
networks that treat images alike.
"""

from __future__ import annotations

import copy
import weakref

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_activation_bytes(model: nn.Module, example: Tensor | tuple[Tensor, ...]) -> int:
    """The peak for one image; the model itself is not touched.

    Runs on the meta device (shapes only, milliseconds); a network that cannot, runs for real.

    Args:
        model: any network.
        example: its input(s), batch first; the first image of it is used.

    Raises:
        ValueError: the example has no batch axis or an empty batch.
    """
    inputs = example if isinstance(example, tuple) else (example,)
    if not inputs or any(x.dim() < 1 or len(x) < 1 for x in inputs):
        raise ValueError("the example must be a tensor, or tensors, with a batch of at least 1 image")
    try:
        return _peak(model, inputs, "meta")
    except (RuntimeError, NotImplementedError):
        return _peak(model, inputs, "cpu")


def _peak(model: nn.Module, inputs: tuple[Tensor, ...], device: str) -> int:
    duplicate = copy.deepcopy(model).eval().requires_grad_(False).to(device)
    images = [x[:1].detach().to(device, copy=True) for x in inputs]
    follower = _Follower(duplicate)
    for image in images:
        follower.entered(image)
    with torch.no_grad(), follower:
        duplicate(*images)
    return follower.peak


class _Follower(TorchDispatchMode):
    """Sums the storages that are alive; each one is taken off when Python and torch let go of it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.live = self.peak = 0
        kept = [*model.parameters(), *model.buffers()]
        self._known = {id(tensor.untyped_storage()): tensor.untyped_storage() for tensor in kept}
        self._followed: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def entered(self, tensor: Tensor) -> None:
        """Counts a tensor from now on."""
        storage = tensor.untyped_storage()
        key, size = id(storage), storage.nbytes()
        if key in self._known or key in self._followed:
            return

        def ended(_: object) -> None:
            self.live -= size
            self._followed.pop(key, None)

        self._followed[key] = weakref.ref(storage, ended)
        self.live += size
        self.peak = max(self.peak, self.live)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        for result in tree_leaves(results):
            if isinstance(result, Tensor):
                self.entered(result)
        return results
