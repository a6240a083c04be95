"""Weight files of LPIPS in the published formats, with random weights."""

import torch
from ganprune.evaluators.features.pretrained.backbones import WIDTHS, alexnet, vgg16


def written(folder, backbone):
    """Write learned weights and a network as the package `lpips` and torchvision do; return their paths."""
    random = torch.Generator().manual_seed(7)
    network = alexnet() if backbone == "alex" else vgg16()
    state = {
        f"features.{name}": torch.randn(value.shape, generator=random) * (2 / value[0].numel()) ** 0.5
        for name, value in network.state_dict().items()
    }
    torch.save(state | {"classifier.1.weight": torch.zeros(1)}, folder / "network.pth")
    widths = enumerate(WIDTHS[backbone])
    learned = {f"lin{i}.model.1.weight": torch.rand(1, width, 1, 1, generator=random) for i, width in widths}
    torch.save(learned, folder / "lpips.pth")
    return folder / "lpips.pth", folder / "network.pth"
