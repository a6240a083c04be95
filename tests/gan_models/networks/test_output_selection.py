"""A network that returns several outputs returns the one that counts: traced, cut, copied and exported as that one."""

import copy
from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch
from ganprune.gan_models.export.exporter import ExportJob
from ganprune.gan_models.export.onnx_float import write_onnx
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.output_selection import named_outputs, select_output
from torch import Tensor, nn

Pair = namedtuple("Pair", ("features", "image"))


@dataclass
class Returned:
    features: Tensor
    image: Tensor
    step: int = 3


FORMS = {
    "tuple": (lambda f, x: (f, x), "1"),
    "list": (lambda f, x: [f, x], "1"),
    "dict": (lambda f, x: {"features": f, "image": x}, "image"),
    "named tuple": (Pair, "image"),
    "dataclass": (Returned, "image"),
    "nested": (lambda f, x: {"features": [f, f], "images": {"full": x}}, "images.full"),
    "tensor in none": (lambda f, x: (None, f, x), "2"),
    "one": (lambda f, x: (x,), "0"),
}


class Several(nn.Module):
    """A trunk, an image of it, and features that another head makes of it."""

    def __init__(self, form):
        super().__init__()
        self.form = form
        self.trunk, self.image = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.head = nn.Sequential(nn.Conv2d(8, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 5, 1))

    def forward(self, x):
        hidden = torch.relu(self.trunk(x))
        return self.form(self.head(hidden), torch.tanh(self.image(hidden)))


@pytest.fixture(params=FORMS)
def several(request):
    form, selected = FORMS[request.param]
    torch.manual_seed(0)
    whole = Several(form).eval()
    torch.manual_seed(0)
    return whole, select_output(Several(form).eval(), "several", selected), selected


def test_the_output_that_counts_is_the_one_that_is_returned(several):
    """Tuples, lists, mappings, dataclasses and nested ones: by name or place, with the weights' names as they were."""
    whole, one, selected = several
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(one(x), dict(named_outputs(whole(x)))[selected])
    assert list(one.state_dict()) == list(whole.state_dict())
    assert torch.equal(copy.deepcopy(one)(x), one(x))


def test_it_is_traced_and_cut_as_one_tensor(several):
    """The trunk is cut, and the head that reads it with it; the cut network gives the gated one's image."""
    _, one, _ = several
    one = one.double()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    groups = find_groups(one, (x,))
    assert groups.sizes["trunk"] == 8
    plan = ChannelPlan({**{n: tuple(range(s)) for n, s in groups.sizes.items()}, "trunk": (0, 2, 7)})
    small = cut(one, groups, plan)
    with torch.no_grad():
        for i in (1, 3, 4, 5, 6):
            one.trunk.weight[i], one.trunk.bias[i] = 0, 0
        assert torch.allclose(small(x), one(x), atol=1e-12)
    assert small.trunk.out_channels == 3


def test_a_file_has_that_output_alone(several, tmp_path):
    """An ONNX file of it has one output, of the name and the shape that are asked for, and gives the same image."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    _, one, _ = several
    x = torch.randn(2, 3, 8, 8)
    write_onnx(ExportJob(one, (x,), output="picture"), tmp_path / "net.onnx")
    (output,) = onnx.load(tmp_path / "net.onnx").graph.output
    sizes = [d.dim_value or d.dim_param for d in output.type.tensor_type.shape.dim]
    assert (output.name, sizes) == ("picture", ["batch", 3, 8, 8])
    session = runtime.InferenceSession(str(tmp_path / "net.onnx"))
    (image,) = session.run(None, {"input": x.numpy()})
    assert abs(image - one(x).detach().numpy()).max() < 1e-5


def test_an_index_counts_the_outputs_of_a_mapping_too():
    """`1` is the second tensor of `{"features": ..., "image": ...}`."""
    network = select_output(Several(FORMS["dict"][0]), "several", "1")
    assert network(torch.zeros(1, 3, 8, 8)).shape == (1, 3, 8, 8)


@pytest.mark.parametrize("selected", ["picture", "2", "-1"])
def test_an_output_that_is_not_there_is_refused_with_those_that_are(selected):
    """The message has the value, and the names with their shapes."""
    network = select_output(Several(FORMS["dict"][0]), "several", selected)
    with pytest.raises(UserError, match=f"--output {selected}; expected one of features 5x8x8, image 3x8x8"):
        network(torch.zeros(1, 3, 8, 8))
