"""SPADE's generator, known as GauGAN (Park et al. 2019), with upstream's state-dict keys.

The label map, reduced to a small grid, starts the image; seven residual blocks follow, between them nearest
upsampling. Each norm's scale and shift are maps that three convolutions make of the label map, resized to the norm's
grid. Upstream's variant with a latent by an image encoder is not included.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu
from torch.nn.utils.parametrizations import spectral_norm

from ...files.errors import UserError
from ..layers import check_choice, check_count, check_flag, initialize_xavier
from .label_planes import label_planes

NORMS = ("batch", "instance")
DEPTHS = {"normal": 5, "more": 6, "most": 7}  # upstream's --num_upsampling_layers -> number of upsamplings
HIDDEN = 128  # channels of the maps that scale and shift come from
UP = 2.0


class SpadeNorm(nn.Module):
    """Norm without parameters, scaled and shifted per pixel: norm(x) * (1 + gamma(labels)) + beta(labels)."""

    def __init__(self, channels: int, planes: int, norm: str, hidden: int) -> None:
        super().__init__()
        batch = norm == "batch"
        self.param_free_norm: nn.Module = (
            nn.BatchNorm2d(channels, affine=False) if batch else nn.InstanceNorm2d(channels)
        )
        self.mlp_shared = nn.Sequential(nn.Conv2d(planes, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, planes: Tensor) -> Tensor:
        """Normalize (N, C, H, W); planes (N, P, H', W') are resized to H x W."""
        shared = self.mlp_shared(interpolate(planes, x.shape[2:], mode="nearest"))
        return self.param_free_norm(x) * (1 + self.mlp_gamma(shared)) + self.mlp_beta(shared)


class SpadeBlock(nn.Module):
    """Residual block of [SPADE, leaky ReLU, conv 3x3] twice; a 1x1 conv in the skip if the channels change."""

    def __init__(self, taken: int, given: int, make_norm: Callable[[int], SpadeNorm]) -> None:
        super().__init__()
        middle = min(taken, given)
        self.conv_0 = nn.Conv2d(taken, middle, 3, padding=1)
        self.conv_1 = nn.Conv2d(middle, given, 3, padding=1)
        self.norm_0 = make_norm(taken)
        self.norm_1 = make_norm(middle)
        self.learned_shortcut = taken != given
        if self.learned_shortcut:
            self.conv_s = nn.Conv2d(taken, given, 1, bias=False)
            self.norm_s = make_norm(taken)

    def forward(self, x: Tensor, planes: Tensor) -> Tensor:
        """Map (N, taken, H, W) to (N, given, H, W)."""
        skip = self.conv_s(self.norm_s(x, planes)) if self.learned_shortcut else x
        h = self.conv_0(leaky_relu(self.norm_0(x, planes), 0.2))
        return skip + self.conv_1(leaky_relu(self.norm_1(h, planes), 0.2))


class SpadeGenerator(nn.Module):
    """Label map (N, H, W), and edges (N, 1, H, W) if `edges`, to image (N, output_channels, H, W) in [-1, 1].

    H and W are multiples of 2 to the power of the number of upsamplings.
    """

    def __init__(
        self, ngf: int, classes: int, edges: bool, upsampling: str, norm: str, spectral: bool, hidden: int,
        output_channels: int,
    ) -> None:  # fmt: skip
        super().__init__()
        check_count("ngf", ngf)
        check_count("classes", classes)
        check_count("hidden", hidden)
        check_count("output_channels", output_channels)
        check_flag("edges", edges)
        check_flag("spectral", spectral)
        check_choice("upsampling", upsampling, tuple(DEPTHS))
        check_choice("norm", norm, NORMS)
        if upsampling == "most" and ngf % 2:
            raise UserError(f"upsampling='most' ends at half of ngf: got ngf={ngf}; expected an even number")
        self.classes, self.reduction, self.upsampling = classes, 2 ** DEPTHS[upsampling], upsampling
        planes = classes + edges

        def block(taken: int, given: int) -> SpadeBlock:
            return SpadeBlock(taken, given, lambda channels: SpadeNorm(channels, planes, norm, hidden))

        self.fc = nn.Conv2d(planes, 16 * ngf, 3, padding=1)
        self.head_0 = block(16 * ngf, 16 * ngf)
        self.G_middle_0 = block(16 * ngf, 16 * ngf)
        self.G_middle_1 = block(16 * ngf, 16 * ngf)
        self.up_0 = block(16 * ngf, 8 * ngf)
        self.up_1 = block(8 * ngf, 4 * ngf)
        self.up_2 = block(4 * ngf, 2 * ngf)
        self.up_3 = block(2 * ngf, ngf)
        last = ngf
        if upsampling == "most":
            last = ngf // 2
            self.up_4 = block(ngf, last)
        self.conv_img = nn.Conv2d(last, output_channels, 3, padding=1)
        initialize_xavier(self, gain=0.02)
        if spectral:
            for each in [m for m in self.modules() if isinstance(m, SpadeBlock)]:
                for layer in (each.conv_0, each.conv_1, *([each.conv_s] if each.learned_shortcut else [])):
                    spectral_norm(layer)

    def forward(self, label: Tensor, edges: Tensor | None = None) -> Tensor:
        """Generate from class numbers and, if there are any, edges."""
        planes = label_planes(label, self.classes, edges)
        grid = (label.shape[1] // self.reduction, label.shape[2] // self.reduction)
        h = self.head_0(self.fc(interpolate(planes, grid, mode="nearest")), planes)
        h = self.G_middle_0(_up(h), planes)
        h = self.G_middle_1(_up(h) if self.upsampling != "normal" else h, planes)
        for block in (self.up_0, self.up_1, self.up_2, self.up_3):
            h = block(_up(h), planes)
        if self.upsampling == "most":
            h = self.up_4(_up(h), planes)
        return self.conv_img(leaky_relu(h, 0.2)).tanh()


def _up(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=UP, mode="nearest")


def spade(
    ngf: int = 64,
    classes: int = 35,
    edges: bool = True,
    upsampling: str = "more",
    norm: str = "batch",
    spectral: bool = True,
    hidden: int = HIDDEN,
    output_channels: int = 3,
) -> nn.Module:
    """SPADE's generator; the defaults are those of GAN Compression's Cityscapes at 256x512: 281 G MACs.

    Args:
        ngf: channels of the last block; the first ones have 16 * ngf.
        classes: number of classes in the label map.
        edges: the edges of instances are a second input.
        upsampling: "normal" (32 times, upstream's default), "more" (64) or "most" (128, and one block more).
        norm: "batch" or "instance", without parameters.
        spectral: spectral norm of the blocks' convolutions.
        hidden: channels of the maps that scale and shift come from.
        output_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return SpadeGenerator(ngf, classes, edges, upsampling, norm, spectral, hidden, output_channels)
