"""Peak activation memory of one forward pass, by following every tensor from the operator that makes it to its end.

Convention: the largest sum, at any moment of an eager forward pass in eval mode without gradients, of the bytes of
all live tensors that are neither parameters nor buffers; the input counts to the end (its caller holds it), views and
in-place results count once.
Working memory inside an operator (an unfolded convolution) is the runtime's own and is not in it. Per image: exact for
networks that treat images alike.
"""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ...gan_models.files.meta_device import run_for_shapes


def peak_activation_bytes(model: nn.Module, example: Tensor | tuple[Tensor, ...]) -> int:
    """Return the peak for one image; the model itself does not change.

    Run for its shapes (milliseconds); a network that needs values runs on the CPU.

    Args:
        model: any network.
        example: its input(s), batch first; the first image of it is used.

    Raises:
        ValueError: the example has no batch axis or an empty batch.
    """
    inputs = example if isinstance(example, tuple) else (example,)
    if not inputs or any(x.dim() < 1 or len(x) < 1 for x in inputs):
        raise ValueError("the example must be a tensor, or tensors, with a batch of at least 1 image")
    return run_for_shapes(model, tuple(x[:1].detach() for x in inputs), _peak)


def _peak(copied: nn.Module, images: tuple[Tensor, ...]) -> int:
    follower = _Follower(copied.requires_grad_(False))
    for image in images:
        follower.entered(image)
    with torch.no_grad(), follower:
        copied(*images)
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
        """Count a tensor from now on."""
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
