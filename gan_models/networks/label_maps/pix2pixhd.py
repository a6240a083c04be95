"""pix2pixHD's global generator (Wang et al. 2018), with upstream's state-dict keys: a deeper CycleGAN ResNet."""

from __future__ import annotations

from torch import Tensor, nn

from ..layers import check_count, check_flag, initialize_normal
from ..resnet import ResnetBlock, check_translation, translation_layers
from .label_planes import label_planes


class Pix2pixHdGenerator(nn.Module):
    """Label map (N, H, W), and edges (N, 1, H, W) if `edges`, to image (N, output_channels, H, W) in [-1, 1].

    H and W are multiples of 2 ** n_downs.
    """

    def __init__(
        self, ngf: int, classes: int, edges: bool, n_downs: int, n_blocks: int, norm: str, output_channels: int
    ) -> None:
        super().__init__()
        check_count("classes", classes)
        check_count("n_downs", n_downs)
        check_flag("edges", edges)
        planes = classes + edges
        check_translation(ngf, n_blocks, norm, False, (planes, output_channels))
        self.classes = classes

        def blocks(width: int) -> list[nn.Module]:
            return [ResnetBlock(width, norm, False, False, False) for _ in range(n_blocks)]

        self.model = translation_layers(ngf, norm, blocks, planes, output_channels, n_downs=n_downs)
        initialize_normal(self)

    def forward(self, label: Tensor, edges: Tensor | None = None) -> Tensor:
        """Generate from class numbers and, if there are any, edges."""
        return self.model(label_planes(label, self.classes, edges))


def pix2pixhd(
    ngf: int = 64,
    classes: int = 35,
    edges: bool = True,
    n_downs: int = 4,
    n_blocks: int = 9,
    norm: str = "instance",
    output_channels: int = 3,
) -> nn.Module:
    """pix2pixHD's global generator; the defaults are those of Cityscapes at 512x1024.

    Args:
        ngf: channels of the stem; the trunk has ngf * 2 ** n_downs.
        classes: number of classes in the label map.
        edges: the edges of instances are a second input.
        n_downs: strided convolutions before the trunk.
        n_blocks: residual blocks.
        norm: "instance" or "batch".
        output_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return Pix2pixHdGenerator(ngf, classes, edges, n_downs, n_blocks, norm, output_channels)
