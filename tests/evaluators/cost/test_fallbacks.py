"""Operators that a runtime runs on a slower unit, by its own profile or plan."""

import numpy as np
import onnx
import pytest
from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.evaluators.cost.device_runtimes.litert import _inside
from ganprune.evaluators.cost.fallbacks import Fallbacks, timed_fallbacks
from ganprune.gan_models.export.catalog import latency_writer
from ganprune.gan_models.files.packages import Package
from onnx import TensorProto, helper, numpy_helper
from torch import nn, zeros


def half_graph(path):
    """A file of a transposed convolution in half precision, for which ONNX Runtime has no kernel on CPUs."""
    weight = numpy_helper.from_array(np.ones((2, 2, 2, 2), np.float16), "w")
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
            helper.make_node("ConvTranspose", ["h", "w"], ["y"], strides=[2, 2]),
            helper.make_node("Cast", ["y"], ["z"], to=TensorProto.FLOAT),
        ],
        "half",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 4, 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2, 8, 8])],
        [weight],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def test_onnx_runtime_tells_what_of_a_half_file_it_computes_in_float32(tmp_path):
    """The convolution is counted, conversions are not; of a file for float32 nothing falls back."""
    half_graph(tmp_path / "half.onnx")
    given = (np.ones((1, 2, 4, 4), np.float32),)
    found = RUNTIMES["onnxruntime"].fallbacks(tmp_path / "half.onnx", "float16", given)
    assert found.operators == {"ConvTranspose": 1}
    assert found.of > 1
    assert 0 < found.share <= 1
    assert RUNTIMES["onnxruntime"].fallbacks(tmp_path / "half.onnx", "float32", given).line("x") == ""


def node(index, inputs, outputs):
    return {"index": index, "op_name": "ADD", "inputs": np.array(inputs), "outputs": np.array(outputs)}


def test_the_parts_that_xnnpack_takes_end_at_their_inputs():
    """The third node of a chain of four, between two parts, is outside."""
    chain = [node(i, [i, 9], [i + 1]) for i in range(4)]
    parts = [node(4, [0, 9], [2]), node(5, [3, 9], [4])]
    assert _inside(chain, parts) == {0, 1, 3}
    assert _inside(chain, []) == set()


@pytest.mark.parametrize("runtime", ["litert", "openvino"])
def test_a_network_of_ordinary_layers_does_not_fall_back(runtime, tmp_path):
    """Convolutions and ReLUs have kernels of their own."""
    needed = (*RUNTIMES[runtime].needs, *([Package("litert_torch")] if runtime == "litert" else []))
    if not all(package.installed() for package in needed):
        pytest.skip(f"{runtime} is not installed")
    file = tmp_path / {"litert": "a.tflite", "openvino": "a.xml"}[runtime]
    model, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 3, 3)).eval(), zeros(1, 3, 8, 8)
    latency_writer(runtime)(model, (x,), file)
    found = RUNTIMES[runtime].fallbacks(file, "float32", (x.numpy(),))
    assert found.of > 1
    assert found.operators == {}


def test_a_runtime_without_a_profile_says_nothing(tmp_path):
    """None is no claim that nothing falls back."""
    assert RUNTIMES["ncnn"].fallbacks(tmp_path / "a.param", "float32", ()) is None


def test_the_line_has_counts_and_time():
    """The commonest operators are named; a share of time only if there are times."""
    nodes = [("Pad", 2.0, True), ("Conv", 6.0, False), ("Pad", 1.0, True), ("Tanh", 1.0, True)]
    line = timed_fallbacks("by hand", nodes).line("Abacus")
    assert line == "Abacus, measured: 3 of 4 operators run by hand, with 40% of its time: Pad 2, Tanh 1"
    many = Fallbacks("outside", dict.fromkeys("abcdef", 1), 9)
    assert many.line("Abacus") == "Abacus, measured: 6 of 9 operators run outside: a 1, b 1, c 1, d 1 and 2 more kinds"
