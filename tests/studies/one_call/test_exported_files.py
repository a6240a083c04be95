import ganprune
import pytest
import torch
from ganprune import ChannelPlan
from safetensors.torch import load_file
from torch import nn

PROGRAM = "pt2"


def make() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))


def test_files_hold_the_network_as_it_is_now(tmp_path):
    """Weights and program are those after the user's own training, and need no builder."""
    torch.manual_seed(0)
    image = torch.randn(2, 3, 16, 16)
    pruned = ganprune.prune(make(), image, "50%", check=False)
    with torch.no_grad():
        pruned.model[2].bias.fill_(3.0)  # somebody's own training
    out = tmp_path / "out"
    ganprune.export(pruned.model, pruned.plan, out, image, formats=["pt2"])
    assert load_file(out / "generator.safetensors")["2.bias"].tolist() == [3.0] * 3
    program = torch.export.load(out / "generator.pt2").module()
    torch.testing.assert_close(program(image), pruned.model(image))
    with pytest.raises(ganprune.UserError, match="has no builder, so its network cannot be built again"):
        ganprune.load_bundle(out)
    with pytest.raises(ganprune.UserError, match="exists"):
        pruned.export(out)


class TwoOutputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = make()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.layers(x)
        return y, y.mean()


class NoProgram(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) if float(x.detach().mean()) > 9 else self.layer(x) + 1


def test_several_outputs_are_refused(tmp_path):
    """A file has one output, so a network of two is refused with the cure, and nothing is written."""
    with pytest.raises(ganprune.UserError, match="gives several outputs: got a tuple; expected one tensor"):
        ganprune.export(TwoOutputs(), ganprune.ChannelPlan({}), tmp_path / "out", torch.zeros(1, 3, 8, 8))
    assert not (tmp_path / "out").exists()


def test_a_format_that_cannot_be_written_says_why(tmp_path):
    """The weights are there all the same."""
    image = torch.zeros(1, 3, 8, 8)
    done = ganprune.export(NoProgram(), ganprune.ChannelPlan({}), tmp_path / "out", image, formats=["pt2"])
    assert "cannot be written as a program" in done.formats["pt2"].absent
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "generator.safetensors", "manifest.json", "plan.json",
    ]  # fmt: skip


def test_a_network_at_one_stride_a_side_has_a_program(tmp_path):
    """`torch.export` takes a side of one stride for a constant: the program is then of the one size."""
    network = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.ReLU(), nn.ConvTranspose2d(4, 3, 8, 8))
    done = ganprune.export(network, ChannelPlan({}), tmp_path / "a", torch.zeros(1, 3, 8, 8), formats=[PROGRAM])
    (report,) = done.formats.values()
    assert not report.absent, report.absent
    assert report.agrees
