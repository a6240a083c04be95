"""Image-to-image generators that are not ours: style transfer, super-resolution, attention, GroupNorm, a branch.

The file stands alone, so that `foreign_images.py:johnson` names a generator from a file.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class StyleConv(nn.Module):
    """Reflection padding, (nearest upsampling), convolution."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, upsample: int | None = None):
        super().__init__()
        self.upsample = upsample
        self.reflection_pad = nn.ReflectionPad2d(kernel // 2)
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        if self.upsample:
            x = F.interpolate(x, mode="nearest", scale_factor=self.upsample)
        return self.conv2d(self.reflection_pad(x))


class StyleResidual(nn.Module):
    """Two 3x3 convs with affine InstanceNorm, plus the input."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = StyleConv(channels, channels, 3)
        self.in1 = nn.InstanceNorm2d(channels, affine=True)
        self.conv2 = StyleConv(channels, channels, 3)
        self.in2 = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.in2(self.conv2(torch.relu(self.in1(self.conv1(x))))) + x


class Johnson(nn.Module):
    """Johnson et al. 2016, style transfer, with nearest upsampling and no output activation."""

    def __init__(self, width: int, blocks: int):
        super().__init__()
        self.conv1 = StyleConv(3, width, 9)
        self.in1 = nn.InstanceNorm2d(width, affine=True)
        self.conv2 = StyleConv(width, 2 * width, 3, stride=2)
        self.in2 = nn.InstanceNorm2d(2 * width, affine=True)
        self.conv3 = StyleConv(2 * width, 4 * width, 3, stride=2)
        self.in3 = nn.InstanceNorm2d(4 * width, affine=True)
        self.residuals = nn.ModuleList(StyleResidual(4 * width) for _ in range(blocks))
        self.up1 = StyleConv(4 * width, 2 * width, 3, upsample=2)
        self.in4 = nn.InstanceNorm2d(2 * width, affine=True)
        self.up2 = StyleConv(2 * width, width, 3, upsample=2)
        self.in5 = nn.InstanceNorm2d(width, affine=True)
        self.out = StyleConv(width, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.in1(self.conv1(x)))
        x = torch.relu(self.in2(self.conv2(x)))
        x = torch.relu(self.in3(self.conv3(x)))
        for block in self.residuals:
            x = block(x)
        x = torch.relu(self.in4(self.up1(x)))
        x = torch.relu(self.in5(self.up2(x)))
        return self.out(x)


def johnson(*, width: int = 16, blocks: int = 3) -> nn.Module:
    """(N, 3, H, W) -> (N, 3, H, W), unbounded."""
    return Johnson(width, blocks)


class SrResidual(nn.Module):
    """conv, BN, PReLU, conv, BN, plus the input."""

    def __init__(self, channels: int, slopes: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.PReLU(slopes),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class SrResnet(nn.Module):
    """Ledig et al. 2017: residual trunk with a long skip, then sub-pixel upsampling."""

    def __init__(self, width: int, blocks: int, scale_steps: int, slope_per_channel: bool):
        super().__init__()
        slopes = width if slope_per_channel else 1
        self.head = nn.Sequential(nn.Conv2d(3, width, 9, padding=4), nn.PReLU(slopes))
        self.blocks = nn.Sequential(*(SrResidual(width, slopes) for _ in range(blocks)))
        self.after = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width))
        up: list[nn.Module] = []
        for _ in range(scale_steps):
            up += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU(slopes)]
        self.up = nn.Sequential(*up)
        self.tail = nn.Conv2d(width, 3, 9, padding=4)

    def forward(self, x: Tensor) -> Tensor:
        head = self.head(x)
        return self.tail(self.up(head + self.after(self.blocks(head))))


def srresnet(*, width: int = 16, blocks: int = 3, scale_steps: int = 1, slope_per_channel: bool = True) -> nn.Module:
    """(N, 3, H, W) -> (N, 3, 2 ** scale_steps * H, ...), unbounded."""
    return SrResnet(width, blocks, scale_steps, slope_per_channel)


class SqueezeExcitation(nn.Module):
    """Hu et al. 2018: channel weights from the global mean through two linears."""

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // reduction)
        self.fc2 = nn.Linear(channels // reduction, channels)

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean(dim=(2, 3))))))
        return x * weight[:, :, None, None]


class AttentionGate(nn.Module):
    """Oktay et al. 2018: the decoder's signal weighs the skip's pixels."""

    def __init__(self, gate: int, skip: int, middle: int):
        super().__init__()
        self.w_gate = nn.Sequential(nn.Conv2d(gate, middle, 1), nn.BatchNorm2d(middle))
        self.w_skip = nn.Sequential(nn.Conv2d(skip, middle, 1), nn.BatchNorm2d(middle))
        self.psi = nn.Sequential(nn.Conv2d(middle, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, gate: Tensor, skip: Tensor) -> Tensor:
        return skip * self.psi(F.relu(self.w_gate(gate) + self.w_skip(skip)))


class DoubleConv(nn.Module):
    """Two 3x3 convs with BN and ReLU, then squeeze and excitation."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )
        self.se = SqueezeExcitation(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.se(self.body(x))


class AttentionUnet(nn.Module):
    """U-Net (Ronneberger et al. 2015) with max-pooling, bilinear upsampling and gated skips."""

    def __init__(self, width: int):
        super().__init__()
        self.enc1 = DoubleConv(3, width)
        self.enc2 = DoubleConv(width, 2 * width)
        self.enc3 = DoubleConv(2 * width, 4 * width)
        self.pool = nn.MaxPool2d(2)
        self.up2 = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.Conv2d(4 * width, 2 * width, 3, padding=1),
        )
        self.gate2 = AttentionGate(2 * width, 2 * width, width)
        self.dec2 = DoubleConv(4 * width, 2 * width)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.gate1 = AttentionGate(width, width, width // 2)
        self.dec1 = DoubleConv(2 * width, width)
        self.out = nn.Conv2d(width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        e1 = self.enc1(x)
        e2 = self.enc2(self.pool(e1))
        d2 = self.up2(self.enc3(self.pool(e2)))
        d2 = self.dec2(torch.cat((self.gate2(d2, e2), d2), dim=1))
        d1 = self.up1(d2)
        d1 = self.dec1(torch.cat((self.gate1(d1, e1), d1), dim=1))
        return torch.tanh(self.out(d1))


def attention_unet(*, width: int = 16) -> nn.Module:
    """(N, 3, H, W) -> (N, 3, H, W) in [-1, 1]; H and W multiples of 4."""
    return AttentionUnet(width)


class GroupNormBlock(nn.Module):
    """GroupNorm, SiLU, conv, twice, plus the input (a 1x1 conv where the width changes)."""

    def __init__(self, inputs: int, outputs: int, groups: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        if self.nin_shortcut is not None:
            x = self.nin_shortcut(x)
        return x + h


class GroupNormAutoencoder(nn.Module):
    """Encoder and decoder in the manner of VQGAN (Esser et al. 2021), without its quantizer and attention."""

    def __init__(self, width: int, groups: int):
        super().__init__()
        self.conv_in = nn.Conv2d(3, width, 3, padding=1)
        self.enc1 = GroupNormBlock(width, width, groups)
        self.down1 = nn.Conv2d(width, width, 3, stride=2)
        self.enc2 = GroupNormBlock(width, 2 * width, groups)
        self.down2 = nn.Conv2d(2 * width, 2 * width, 3, stride=2)
        self.mid = GroupNormBlock(2 * width, 2 * width, groups)
        self.up2 = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.dec2 = GroupNormBlock(2 * width, width, groups)
        self.up1 = nn.Conv2d(width, width, 3, padding=1)
        self.dec1 = GroupNormBlock(width, width, groups)
        self.norm_out = nn.GroupNorm(groups, width)
        self.conv_out = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.enc1(self.conv_in(x))
        h = self.enc2(self.down1(F.pad(h, (0, 1, 0, 1))))
        h = self.mid(self.down2(F.pad(h, (0, 1, 0, 1))))
        h = self.dec2(self.up2(F.interpolate(h, scale_factor=2.0)))
        h = self.dec1(self.up1(F.interpolate(h, scale_factor=2.0)))
        return torch.tanh(self.conv_out(F.silu(self.norm_out(h))))


def groupnorm_autoencoder(*, width: int = 16, groups: int = 4) -> nn.Module:
    """(N, 3, H, W) -> (N, 3, H, W) in [-1, 1]; H and W multiples of 4."""
    return GroupNormAutoencoder(width, groups)


class Branching(nn.Module):
    """Network with a branch that depends on the pixels: no single graph describes it."""

    def __init__(self, width: int):
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.bright = nn.Conv2d(width, width, 3, padding=1)
        self.dark = nn.Conv2d(width, width, 1)
        self.tail = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.head(x))
        if x.mean() > 0:
            h = self.bright(h)
        else:
            h = self.dark(h)
        return torch.tanh(self.tail(F.relu(h)))


def branching(*, width: int = 16) -> nn.Module:
    """(N, 3, H, W) -> (N, 3, H, W) in [-1, 1]; cannot be traced."""
    return Branching(width)
