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


def test_a_file_whose_quality_falls_too_far_is_not_written(tmp_path):
    """Its absence has both numbers; a smaller drop is allowed."""

    def measure(generate):
        generate(*SPEC.examples(1))
        calls.append(1)
        return [Measurement("l1", 30.0 if len(calls) == 1 else 36.0, "1")]

    for drop, absent in ((0.1, True), (0.25, False)):
        calls: list[int] = []
        wanted = WantedFormats(("onnx", "onnx-fp16"), measure=measure, options=FileOptions(largest_drop=drop))
        report = write_formats(tmp_path, network(), SPEC, wanted)["onnx-fp16"]
        assert (tmp_path / "generator-fp16.onnx").exists() != absent
        assert bool(report.absent) == absent
        if absent:
            assert "20% worse than in float32: got 36, 30 in float32; expected at most 10%" in report.absent
