"""The data types in which each runtime is profiled, and what is said of those that it does not have."""

from dataclasses import replace

import pytest
from ganprune.evaluators.cost.device import remote_device
from ganprune.gan_models.costs.cost_form import LATENCY, LATENCY_INT8
from ganprune.gan_models.files.errors import UserError
from ganprune.search.latency.data_types import chosen_dtypes, dtypes_of, format_for
from ganprune.search.latency.finalist_meter import LatencyMeter, in_dtype, measurer
from ganprune.search.latency.predictor import OpenedLatency
from ganprune.search.latency.profile import LatencyProfile, blocks_of
from ganprune.search.setup.opened_profile import NoProfile

from ...fakes.analytic_device import ARGUMENTS, DEVICE, INPUTS, AnalyticDevice, config, profiled


@pytest.mark.parametrize(
    ("runtime", "dtypes", "files"),
    [
        ("eager", ("float32", "float16"), (None, None)),
        ("onnxruntime", ("float32", "float16", "int8"), ("onnx", "onnx-fp16", "onnx-int8")),
        ("litert", ("float32", "int8"), ("litert", "litert-int8")),
        ("ncnn", ("float32", "float16"), ("ncnn", "ncnn")),
        ("openvino", ("float32", "float16"), ("openvino", "openvino")),
    ],
)
def test_a_runtime_is_timed_on_files_of_the_data_type_or_computes_float32_files_in_it(runtime, dtypes, files):
    """Each data type has a format, or the runtime itself converts; then the measurer opens the file so."""
    assert dtypes_of(runtime) == dtypes
    assert tuple(format_for(runtime, dtype) for dtype in dtypes) == files
    timers = [measurer(runtime, 1, "cpu", dtype=dtype) for dtype in dtypes]
    assert [timer.dtype for timer in timers] == list(dtypes)
    again = in_dtype(timers[-1], "float32")
    assert again is not None
    assert again.dtype == "float32"


@pytest.mark.parametrize(
    ("asked", "runtime", "command", "found"),
    [
        ((), "onnxruntime", "", ("float32", True)),
        ((), "eager", "", ("float32", False)),
        (("float32",), "litert", "", ("float32", False)),
        (("int8",), "litert", "", ("int8", False)),
        (("float16", "int8"), "onnxruntime", "", ("float16", True)),
        ((), "command", "run {onnx}", ("float32", True)),
        ((), "command", "run {onnx-fp16}", ("float16", True)),
        (("float16",), "command", "run {ncnn}", ("float16", False)),
    ],
)
def test_the_data_type_of_a_profile_is_the_one_that_was_asked_for(asked, runtime, command, found):
    """Nothing asked is float32 with 8 bits beside it if there are any; a remote device's files say theirs."""
    assert chosen_dtypes(asked, runtime, command) == found


@pytest.mark.parametrize(
    ("asked", "runtime", "said"),
    [
        (("int8",), "eager", "runtime eager has no int8: got --dtype int8; expected float32 or float16. Try --runtime"),
        (("flaot16",), "ncnn", "--dtype is unknown: got 'flaot16'; .* Did you mean float16"),
        (("float32", "float16"), "ncnn", "--dtype names two floats: got float32,float16; expected one"),
    ],
)
def test_a_data_type_that_a_runtime_does_not_have_is_one_line(asked, runtime, said):
    """Unknown names, missing ones and two floats each say what there is."""
    with pytest.raises(UserError, match=said):
        chosen_dtypes(asked, runtime)


def test_a_profile_of_8_bits_alone_is_for_trials_of_8_bits():
    """Its whole networks are in 8 bits: it prices those, offers no other bits, and says so of its device."""
    made = profiled(points=2)
    only = replace(made, device=replace(DEVICE, dtype="int8"))
    opened = OpenedLatency(only, only.form(blocks_of("resnet", ARGUMENTS, INPUTS)))
    assert opened.bits(config()) == (8,)
    assert opened.bits(config(budgets=("25%", "3ms"))) == (8,)
    assert opened.form.dense(LATENCY_INT8) == opened.form.dense(LATENCY)
    assert "int8" in opened.predicted(1.0, 8).protocol
    with pytest.raises(NoProfile, match=r"trials of 32 bits need a profile of .* Try `ganprune profile-device --dtype"):
        opened.bits(config(bits=(32, 8)))


def test_the_command_of_a_remote_device_is_kept_and_older_profiles_keep_their_hash():
    """A profile is JSON both ways with its command; without one its content is what earlier versions wrote."""
    made = profiled(AnalyticDevice(), points=2)
    assert "command" not in made.to_json()
    remote = replace(made, device=remote_device("phone", 1, format="onnx"), command="bench {onnx}")
    assert LatencyProfile.from_json(remote.to_json()) == remote
    assert remote.device.describe() == "phone, onnx files by its command, 1 thread, float32, batch 1"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("bench2 {onnx}", ""),
        (
            "",
            "phone is a remote device: give --device-command to measure on it; its profile was made with 'bench {onnx}'",
        ),
        ("bench {litert}", "the profile of phone is of onnx files: got --device-command 'bench {litert}'"),
    ],
)
def test_a_remote_device_is_measured_by_a_command_of_the_same_files(command, said):
    """Without one, or with one of other files, finalists say so, and name the command of the profile."""
    remote = replace(
        profiled(AnalyticDevice(), points=2), device=remote_device("phone", 1, format="onnx"), command="bench {onnx}"
    )
    assert LatencyMeter.of(remote, "cpu", command).reason.startswith(said)
    assert bool(LatencyMeter.of(remote, "cpu", command).reason) == bool(said)
