"""Every kind of input goes the whole way: text, examples, trace, cut, ONNX, and a bundle that is loaded and verified."""

from pathlib import Path

import pytest
import torch
from ganprune.evaluators.cost.counters import count_macs
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.tracing.graph.export import output_shapes
from ganprune.studies.bundles.architecture import SOURCE, Architecture
from ganprune.studies.bundles.bundle import load_bundle, read_architecture, write_bundle
from ganprune.studies.bundles.card import Card
from ganprune.studies.bundles.verify import verify_bundle

from ...gan_models import kinds_of_inputs
from ...gan_models.kinds_of_inputs import KINDS
from ...gan_models.random_cuts import check_cut, lively, random_plan

FILE = Path(kinds_of_inputs.__file__)


def network(name: str) -> torch.nn.Module:
    builder, arguments, *_ = KINDS[name]
    torch.manual_seed(1)
    return lively(build(f"{FILE}:{builder}", arguments))


@pytest.mark.parametrize("name", KINDS)
def test_examples_are_what_the_network_takes(name):
    """Two examples run, and the output is the one that the trace says."""
    _, _, text, shape = KINDS[name]
    spec = InputSpec.parse(text)
    model = network(name).float()
    with torch.no_grad():
        assert model(*spec.examples(2)).shape == (2, *shape)
    assert output_shapes(model, spec.examples(1)) == ((1, *shape),)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", KINDS)
def test_it_is_cut_as_the_gated_network(name, seed):
    """Groups are found, and uneven cuts give the gated network's outputs and the predicted MACs, in float64."""
    spec = InputSpec.parse(KINDS[name][2])
    model = network(name)
    double = tuple(x.double() if x.is_floating_point() else x for x in spec.examples(1))
    assert len(find_groups(model, double).groups) >= 2
    check_cut(model, spec, seed)


@pytest.mark.parametrize("name", KINDS)
def test_its_bundle_has_the_cut_network(name, tmp_path):
    """ONNX gives its outputs, what is loaded again equals it to the last bit, and every check of the bundle passes."""
    onnx = pytest.importorskip("onnx")
    builder, arguments, text, shape = KINDS[name]
    full, inputs = network(name).float(), InputSpec.parse(text)
    groups = find_groups(full, inputs.examples(1))
    plan = random_plan(groups, seed=len(name))
    assert plan != groups.full_plan()
    small, output = cut(full, groups, plan).eval(), OutputSpec.of_shape(shape, inputs)
    model = f"{SOURCE}:{builder}"
    architecture = Architecture(
        model=model,
        arguments=arguments,
        inputs=inputs,
        output=output,
        task="paired",
        network="G",
        plan=plan,
        sizes=groups.sizes,
        whole={},
        architecture=plan.architecture(model, arguments),
    )
    costs = {name: float(value) for name, value in count_macs(small, inputs.examples(1)).items()}
    card = write_bundle(tmp_path / "b", architecture, small, lambda p: Card(costs, {}, (), (), {}, {}, p), FILE)
    assert card.formats["onnx"].absent == ""
    assert card.formats["onnx"].difference <= card.formats["onnx"].allowed
    assert [check.detail for check in verify_bundle(tmp_path / "b") if not check.passed] == []
    again = read_architecture(tmp_path / "b")
    assert (again.inputs, again.output) == (inputs, output)
    x = inputs.examples(3)
    with torch.no_grad():
        assert torch.equal(load_bundle(tmp_path / "b")(*x), small(*x))
    graph = onnx.load(tmp_path / "b" / "generator.onnx").graph
    assert [one.name for one in graph.input] == list(inputs.names)
    (given,) = graph.output
    sizes = [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim]
    assert (given.name, sizes[:2]) == ("output", ["batch", shape[0]])
    # Of a file that takes pictures of any size, the output's size is an expression of theirs.
    free = any("heights and widths" in note for note in card.formats["onnx"].notes)
    assert free == bool(inputs.pixels)
    assert [size for size in sizes[2:] if free != isinstance(size, str)] == []
    assert free or sizes[2:] == [*shape[1:]]
