"""SNGAN's ResNet generator and discriminators for 32x32 images (Miyato et al. 2018, appendix).

The discriminator of images and labels is the projection discriminator (Miyato and Koyama 2018).

Spectral norm uses `torch.nn.utils.parametrizations`, not the older hook of the same name: `deepcopy`
works after a backward pass, the weight is a registered tensor so that `torch.export` traces it on the
meta device without complaint, and the state dict reloads strictly.
"""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .layers import check_count, check_flag, initialize_xavier

SEED_SIZE = 4  # side of the map that the latent is turned into
N_UPSAMPLINGS = 3


class UpBlock(nn.Module):
    """[BN, ReLU, up x2, conv 3x3, BN, ReLU, conv 3x3] + [up x2, conv 1x1], all with bias.

    A 1x1 conv and nearest upsampling commute, so the order in the shortcut changes cost, not outputs.
    """

    def __init__(self, channels: int, upsample_shortcut_first: bool):
        super().__init__()
        self.upsample_shortcut_first = upsample_shortcut_first
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, 2H, 2W)."""
        h = F.interpolate(F.relu(self.norm1(x)), scale_factor=2.0, mode="nearest")
        h = self.conv2(F.relu(self.norm2(self.conv1(h))))
        if self.upsample_shortcut_first:
            return h + self.shortcut(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return h + F.interpolate(self.shortcut(x), scale_factor=2.0, mode="nearest")


class SnganGenerator(nn.Module):
    """Latent (N, latent) to image (N, output_channels, 32, 32) in [-1, 1]."""

    def __init__(
        self,
        ngf: int = 256,
        latent: int = 128,
        output_channels: int = 3,
        upsample_shortcut_first: bool = True,
    ):
        super().__init__()
        check_count("ngf", ngf)
        check_count("latent", latent)
        check_count("output_channels", output_channels)
        check_flag("upsample_shortcut_first", upsample_shortcut_first)
        self.linear = nn.Linear(latent, ngf * SEED_SIZE**2)
        self.blocks = nn.Sequential(*(UpBlock(ngf, upsample_shortcut_first) for _ in range(N_UPSAMPLINGS)))
        self.norm = nn.BatchNorm2d(ngf)
        self.conv = nn.Conv2d(ngf, output_channels, 3, padding=1)
        initialize_xavier(self)

    def forward(self, z: Tensor) -> Tensor:
        """Generate from (N, latent)."""
        # The channel count is inferred, so that a network with fewer channels runs the same code.
        h = self.linear(z).unflatten(1, (-1, SEED_SIZE, SEED_SIZE))
        return self.conv(F.relu(self.norm(self.blocks(h)))).tanh()


def _spectral(layer: nn.Module) -> nn.Module:
    """Return the layer with its own initial weights and a spectral norm."""
    initialize_xavier(layer)
    return spectral_norm(layer)


class DownBlock(nn.Module):
    """[(ReLU), conv 3x3, ReLU, conv 3x3, (mean 2x2)] + [(conv 1x1), (mean 2x2)], convs spectrally normed.

    The block that sees the image has no ReLU in front and averages before its 1x1 conv.
    """

    def __init__(self, inputs: int, outputs: int, *, sees_image: bool, downsample: bool):
        super().__init__()
        self.sees_image = sees_image
        self.downsample = downsample
        self.conv1 = _spectral(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.conv2 = _spectral(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.shortcut = _spectral(nn.Conv2d(inputs, outputs, 1)) if downsample else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / 2, W / 2), or to the same size without downsampling."""
        h = self.conv2(F.relu(self.conv1(x if self.sees_image else F.relu(x))))
        if not self.downsample:
            return h + self.shortcut(x)
        if self.sees_image:
            return F.avg_pool2d(h, 2) + self.shortcut(F.avg_pool2d(x, 2))
        return F.avg_pool2d(h + self.shortcut(x), 2)


class SnganDiscriminator(nn.Module):
    """Image (N, input_channels, 32, 32) to one unbounded score an image, (N, 1)."""

    def __init__(self, ndf: int = 128, input_channels: int = 3):
        super().__init__()
        check_count("ndf", ndf)
        check_count("input_channels", input_channels)
        self.blocks = nn.Sequential(
            DownBlock(input_channels, ndf, sees_image=True, downsample=True),
            DownBlock(ndf, ndf, sees_image=False, downsample=True),
            DownBlock(ndf, ndf, sees_image=False, downsample=False),
            DownBlock(ndf, ndf, sees_image=False, downsample=False),
        )
        self.linear = _spectral(nn.Linear(ndf, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Score (N, input_channels, H, W)."""
        return self.linear(F.relu(self.blocks(x)).sum((2, 3)))


class ProjectionDiscriminator(SnganDiscriminator):
    """Image (N, input_channels, H, W) and label (N,) to one unbounded score an image, (N, 1).

    The score is SNGAN's plus the inner product of the features with a vector of the label's class, spectrally normed.
    """

    def __init__(self, classes: int, ndf: int = 128, input_channels: int = 3):
        super().__init__(ndf, input_channels)
        check_count("classes", classes)
        self.embedding = nn.Embedding(classes, ndf)
        nn.init.xavier_uniform_(self.embedding.weight)
        spectral_norm(self.embedding)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:  # type: ignore[override]  # of two inputs
        """Score images (N, input_channels, H, W) of classes (N,)."""
        of_class = self.embedding(label)  # before the features are read: the last layer that reads them is `linear`
        features = F.relu(self.blocks(x)).sum((2, 3))
        return self.linear(features) + (of_class * features).sum(1, keepdim=True)


def sngan_32(
    ngf: int = 256, latent: int = 128, output_channels: int = 3, upsample_shortcut_first: bool = True
) -> nn.Module:
    """SNGAN's generator for 32x32 images.

    Args:
        ngf: channels of every block.
        latent: length of the latent.
        output_channels: channels of the image.
        upsample_shortcut_first: upsample before the shortcut's 1x1 conv (as published: 1.6811 GMACs) or
            after it (the same outputs for 1.6151 GMACs).

    Raises:
        ValueError: an argument is out of its range.
    """
    return SnganGenerator(ngf, latent, output_channels, upsample_shortcut_first)


def sngan_discriminator(ndf: int = 128, input_channels: int = 3) -> nn.Module:
    """SNGAN's spectrally normed discriminator for 32x32 images.

    Args:
        ndf: channels of every block.
        input_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return SnganDiscriminator(ndf, input_channels)


def projection_discriminator(classes: int = 10, ndf: int = 128, input_channels: int = 3) -> nn.Module:
    """SNGAN's discriminator with a projection of the label, called with images and labels.

    Args:
        classes: how many classes there are.
        ndf: channels of every block.
        input_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return ProjectionDiscriminator(classes, ndf, input_channels)
