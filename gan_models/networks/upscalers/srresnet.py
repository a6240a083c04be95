"""MSRResNet, the modified SRResNet of ESRGAN's authors (after Ledig et al. 2017; Wang et al. 2018), their key names.

SRGAN's generator without batch norm, with the enlarged input added to its output. It is the baseline of the AIM 2019
challenge on constrained super-resolution, which prints its 1,517,571 parameters at x4. Images are in [0, 1] there.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from ...files.errors import UserError
from ..layers import check_added, check_count, initialize_scaled

SLOPE = 0.1  # of the leaky ReLUs
STEPS = {2: (2,), 3: (3,), 4: (2, 2)}  # scale -> enlargement of each pixel shuffle


class PlainResidualBlock(nn.Module):
    """x + conv(ReLU(conv(x))), without norm."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        return x + self.conv2(F.relu(self.conv1(x)))


class SrResnet(nn.Module):
    """Image to image, (N, input_channels, H, W) -> (N, output_channels, scale * H, scale * W)."""

    def __init__(
        self, scale: int = 4, num_feat: int = 64, num_block: int = 16, input_channels: int = 3, output_channels: int = 3
    ):
        super().__init__()
        if isinstance(scale, bool) or scale not in STEPS:
            raise UserError(f"scale={scale!r} is not known: use one of {', '.join(map(str, STEPS))}")
        check_count("num_feat", num_feat)
        check_count("num_block", num_block, at_least=0)
        check_added(input_channels, output_channels)
        self.scale = scale
        self.conv_first = nn.Conv2d(input_channels, num_feat, 3, padding=1)
        self.body = nn.Sequential(*(PlainResidualBlock(num_feat) for _ in range(num_block)))
        for i, step in enumerate(STEPS[scale], 1):
            self.add_module(f"upconv{i}", nn.Conv2d(num_feat, num_feat * step**2, 3, padding=1))
        self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_last = nn.Conv2d(num_feat, output_channels, 3, padding=1)
        initialize_scaled(self)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge (N, input_channels, H, W)."""
        features = self.body(F.leaky_relu(self.conv_first(x), SLOPE))
        for i, step in enumerate(STEPS[self.scale], 1):
            features = F.leaky_relu(F.pixel_shuffle(self.get_submodule(f"upconv{i}")(features), step), SLOPE)
        enlarged = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return self.conv_last(F.leaky_relu(self.conv_hr(features), SLOPE)) + enlarged


def srresnet(
    scale: int = 4, num_feat: int = 64, num_block: int = 16, input_channels: int = 3, output_channels: int = 3
) -> nn.Module:
    """SRResNet as ESRGAN's authors modified it.

    Args:
        scale: Pixels of the output per pixel of the input, along each side: 2, 3 or 4.
        num_feat: Width of the trunk, which all blocks add to.
        num_block: Residual blocks.
        input_channels: Channels of the input image: as many as of the output, or 1, which is added to each of them.
        output_channels: Channels of the output image.

    Raises:
        UserError: An argument is out of its range.
    """
    return SrResnet(scale, num_feat, num_block, input_channels, output_channels)
