"""Penalties of gradients: R1 of a discriminator (Mescheder et al. 2018), path lengths of a generator (StyleGAN2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

STYLE_MARK = "makes_style"  # attribute, true, of a module whose output is the style


def r1_penalty(judge: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return the mean squared length of the gradient of a discriminator's scores by its images, a scalar.

    Args:
        judge: Returns the scores of images.
        images: Real images (N, C, H, W).
    """
    with torch.enable_grad(), torch.autocast(images.device.type, enabled=False):
        seen = images.detach().float().requires_grad_()
        (gradient,) = torch.autograd.grad(judge(seen).sum(), seen, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()


def path_lengths(generator: Callable[..., Tensor], inputs: tuple[Tensor, ...], seed: int) -> Tensor:
    """Return the length of J'y per image, (N,).

    J is the derivative of an image by its style, and y is noise over the root of the number of pixels (Karras et al.
    2020, equation 4). A generator without a module marked `makes_style` is derived by its latents.

    Args:
        generator: Returns images (N, C, H, W).
        inputs: What it takes.
        seed: Of the noise.
    """
    styles: list[Tensor] = []

    def keep(module: nn.Module, _: Any, output: Any) -> None:
        if getattr(module, STYLE_MARK, False) and isinstance(output, Tensor) and output.requires_grad:
            styles.append(output)

    with torch.enable_grad(), torch.autocast(inputs[0].device.type, enabled=False):
        read = tuple(x.detach().requires_grad_() if x.is_floating_point() else x for x in inputs)
        hook = register_module_forward_hook(keep)
        try:
            images = generator(*read).float()
        finally:
            hook.remove()
        random = torch.Generator().manual_seed(seed)
        noise = torch.randn(images.shape, generator=random).to(images.device) / math.sqrt(images[0, 0].numel())
        of = styles or [x for x in read if x.requires_grad]
        gradients = torch.autograd.grad((images * noise).sum(), of, create_graph=True)
    squares = torch.stack([gradient.float().square().flatten(1).sum(1) for gradient in gradients]).sum(0)
    return (squares + 1e-12).sqrt()
