"""Options of exported files: sizes, operator sets, drops of quality and metadata."""

import json
from dataclasses import replace

import onnx
import pytest
import torch
from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.export.catalog import EXPORTERS
from ganprune.gan_models.export.file_options import FileOptions
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.bundles.format_files import WantedFormats, check_format, write_formats
from ganprune.studies.bundles.formats.quality_limit import QualityLimit

SPEC = InputSpec.parse("3,16,16")


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return build("resnet", {"ngf": 2, "n_blocks": 0}).eval()


def test_texts_are_read():
    """Sizes are one number or two, drops a share or a percentage; what is none is one line."""
    assert FileOptions.read("64x32", 18, "5%") == FileOptions((64, 32), 18, 0.05)
    assert FileOptions.read("64", 0, "0.5").input_size == (64, 64)
    for arguments in (("12y",), ("", 3), ("", 0, "much"), ("", 0, "-1"), ("0",)):
        with pytest.raises(UserError, match="got "):
            FileOptions.read(*arguments)


def test_files_of_one_size_have_the_size_that_was_asked_for(tmp_path, monkeypatch):
    """The report has it, and the check afterwards runs at it."""
    monkeypatch.setitem(EXPORTERS.own, "onnx", replace(EXPORTERS["onnx"], free_size=False))
    wanted = WantedFormats(("onnx",), options=FileOptions((32, 20)))
    report = write_formats(tmp_path, network(), SPEC, wanted)["onnx"]
    assert report.size == (32, 20)
    sides = onnx.load(tmp_path / report.file).graph.input[0].type.tensor_type.shape.dim
    assert [side.dim_value for side in sides[1:]] == [3, 32, 20]
    assert "largest difference" in check_format(tmp_path, network(), SPEC, "onnx", report)


def test_a_size_off_the_stride_is_refused(tmp_path):
    """The message has the stride and the next size that is possible."""
    wanted = WantedFormats(("onnx",), options=FileOptions((33, 20)))
    with pytest.raises(UserError, match=r"got 33x20; expected multiples of 4.*Try --input-size 36x20"):
        write_formats(tmp_path, network(), SPEC, wanted)


def test_operator_sets(tmp_path):
    """Files are of set 17 by default and of the one that is asked for otherwise; all give the network's outputs."""
    for asked, expected in ((0, 17), (20, 20)):
        report = write_formats(tmp_path, network(), SPEC, WantedFormats(("onnx",), options=FileOptions(opset=asked)))
        assert onnx.load(tmp_path / report["onnx"].file).opset_import[0].version == expected


def test_metadata_say_what_the_file_is(tmp_path):
    """Ranges, color order, license and what the caller adds stand in the ONNX file and in the PyTorch program."""
    options = FileOptions(license="CC-BY-4.0")
    wanted = WantedFormats(("onnx", "pt2"), options=options, facts={"source": "trial 7"})
    write_formats(tmp_path, network(), SPEC, wanted)
    found = {each.key: each.value for each in onnx.load(tmp_path / "generator.onnx").metadata_props}
    assert found["license"] == "CC-BY-4.0"
    assert found["source"] == "trial 7"
    assert found["range input"] == "-1 to 1"
    assert found["color input"] == "RGB, in this order"
    extra = {"ganprune.json": ""}
    torch.export.load(tmp_path / "generator.pt2", extra_files=extra)
    assert json.loads(extra["ganprune.json"]) == found


def measured(*values: float):
    """Return a measure that gives these values, in order."""
    left = list(values)
    return lambda generate: [Measurement("l1", left.pop(0), "1")]


def test_a_loss_of_quality_has_a_limit_by_default(tmp_path):
    """Ten percent: beyond it the file is not written, with both numbers; without a limit it is written."""
    for asked, absent in (("", True), ("none", False)):
        wanted = WantedFormats(
            ("onnx", "onnx-fp16"), measure=measured(30, 36), options=FileOptions.read(largest_drop=asked)
        )
        report = write_formats(tmp_path, network(), SPEC, wanted)["onnx-fp16"]
        assert bool(report.absent) == absent
        assert (tmp_path / "generator-fp16.onnx").exists() != absent
        if absent:
            assert "20% worse than in float32: got 36, 30 in float32; expected at most 10%" in report.absent


def test_the_limit_is_a_share_of_the_quality_in_float32():
    """A loss of 7 percent is within the default and beyond 5 percent; unmeasured files have no default limit."""
    found, whole = ([Measurement("l1", value, "1")] for value in (32.0, 30.0))
    for asked, refused in (("", False), ("none", False), ("10%", False), ("5%", True)):
        assert bool(QualityLimit(FileOptions.read(largest_drop=asked).largest_drop).reason(found, whole)) == refused
    assert not QualityLimit().reason([], whole)


def test_the_only_format_beyond_the_limit_ends_the_export(tmp_path):
    """The message has the limit and one that the file is within."""
    wanted = WantedFormats(("onnx-fp16",), measure=measured(36, 30))
    with pytest.raises(
        UserError, match=r"no ONNX in half precision file: .* expected at most 10%\. Try --largest-drop 21%"
    ):
        write_formats(tmp_path, network(), SPEC, wanted)


def test_bits_of_training_have_no_limit_by_default():
    """A trial that was trained in a file's bits was chosen in them; a limit that is given is applied."""
    worse, whole = [Measurement("l1", 60, "1")], [Measurement("l1", 30, "1")]
    assert QualityLimit().reason(worse, whole)
    assert not QualityLimit().reason(worse, whole, trained=True)
    assert QualityLimit(0.5).reason(worse, whole, trained=True)
    assert not QualityLimit(0.5, "higher").reason(worse, whole)


@pytest.mark.parametrize("name", ["onnx-int8", "litert-int8"])
def test_too_few_inputs_to_calibrate_on_are_refused(name, tmp_path):
    """Ranges of three inputs are none; the message has the least number."""
    if missing := [package.name for package in EXPORTERS[name].needs if not package.installed()]:
        pytest.skip(f"format {name} needs {', '.join(missing)}")
    wanted = WantedFormats((name,), calibration=lambda: [SPEC.examples(2), SPEC.examples(1)])
    with pytest.raises(UserError, match="too few inputs to calibrate ranges on: got 3; expected 4 or more"):
        write_formats(tmp_path, network(), SPEC, wanted)
