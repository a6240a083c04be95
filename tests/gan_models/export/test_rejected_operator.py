"""A network that a converter refuses is refused with the operator, its module and the rewrites that were tried."""

import pytest
import torch
from ganprune.gan_models.export.exporter import Exporter, ExportJob, NotConverted
from ganprune.gan_models.export.program import trace
from torch import Tensor, nn


class Warp(nn.Module):
    """An operator that the converter below lacks."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.erfinv(x)


def write(job: ExportJob, path) -> None:
    """Refuse programs with an inverse error function or a PReLU."""
    found = [str(node.target) for node in trace(job).graph.nodes]
    if any("erfinv" in name or "prelu" in name for name in found):
        raise NotConverted(f"{job.network} cannot be written as Toy: no kernel")


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (Warp(), r"aten\.erfinv\.default of module 1 is rejected \(no rewrite is known for it\)"),
        (nn.PReLU(4), r"aten\.prelu\.default of module 1 is rejected \(no rewrite is known for it\)"),
    ],
)
def test_the_operator_and_its_module_are_named(last, expected, tmp_path):
    """The other operators of the network are written alone, and not blamed."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), last)
    job = ExportJob(network, (torch.zeros(1, 3, 8, 8),), free_batch=False)
    with pytest.raises(NotConverted, match=rf"^Sequential cannot be written as Toy: no kernel; operator {expected}$"):
        Exporter(write, "toy", "toy", "Toy").write(job, tmp_path / "toy")


def test_a_rewrite_takes_the_operator_out(tmp_path):
    """With the row's rewrite the same network is written, and the note counts the change."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.PReLU(4))
    job = ExportJob(network, (torch.zeros(1, 3, 8, 8),), free_batch=False)
    (note,) = Exporter(write, "toy", "toy", "Toy", rewrites=("prelu",)).write(job, tmp_path / "toy")
    assert note == "rewritten: 1 times PReLU as maximum and minimum"
