"""From a budget in bytes to an int8 file that runs elsewhere, through the command line."""

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from ganprune.gan_models.checkpoints.checkpoint import load_weights
from ganprune.gan_models.export.catalog import INT8
from ganprune.gan_models.export.onnx_int8 import CALIBRATED, QUANTIZATION, TRAINED
from ganprune.gan_models.files.hashes import file_sha256
from ganprune.gan_models.files.plain_values import from_json
from ganprune.gan_models.quantization.fake_quant import quantized_bytes
from ganprune.gan_models.quantization.settings import Quantization, QuantSettings
from ganprune.search.config import StudyConfig
from ganprune.studies.bundles import bundle as bundles
from ganprune.studies.bundles.bundle import read_card
from ganprune.studies.bundles.export import export_trial
from ganprune.studies.bundles.verify import verify_bundle
from ganprune.studies.report.image_grid import picture_grid
from onnx import numpy_helper
from PIL import Image

from ...command_line import QUICK, call, refused
from ...tiny_study import SMALL, made, make, new_folder

FILE = "generator-int8.onnx"
MODEL = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--image-size", 16, "--data", "builtin:shapes"]


@cache
def calibrated() -> Path:
    """A trial of 32 bits, exported with an int8 file; do not change it: copy it."""
    out = new_folder() / "bundle"
    export_trial(made().record, 2, made().root, out, int8=True)
    return out


def test_a_search_in_bytes_ends_in_an_int8_file(tmp_path, monkeypatch, capsys):
    """search --budget 7kB, show, export, verify, run --int8: trials of 8 bits are within the bytes of their file."""
    monkeypatch.chdir(tmp_path)
    search = ["search", *QUICK, *MODEL, "--study", "s", "--budget", "7kB", "--trials", 4]
    assert call(monkeypatch, *search) == 0
    capsys.readouterr()
    assert call(monkeypatch, "show", "s", "--json") == 0
    rows = [row for row in json.loads(capsys.readouterr().out)["trials"] if row["trial"] is not None]
    assert {row["state"] for row in rows} == {"COMPLETE"}
    assert {row["bits"] for row in rows} == {8, 32}
    assert all(row["cost"] <= row["target"] <= 7000 for row in rows)
    row = next(row for row in rows if row["bits"] == 8)
    assert call(monkeypatch, "export", "s", "--trial", row["trial"], "--out", "b") == 0
    out = capsys.readouterr().out
    assert "integer: 6 QLinearConv" in out
    assert "ONNX Runtime has no integer kernel" in out
    card = read_card(Path("b"))
    int8 = card.formats[INT8]
    assert int8.notes[0] == TRAINED
    assert int8.counts["parameter_bytes"] == row["cost"] < 4 * row["params"]
    assert int8.operators["QLinearConv"] == int8.counts["layers"] == 6
    quality = next(m for m in card.tested if m.name == row["metric"])
    # The file's roundings fall otherwise than PyTorch's; both are the same network.
    assert int8.measurements[0].value == pytest.approx(quality.value, rel=0.01)
    assert card.formats["onnx"].measurements[0].name == quality.name
    assert int8.speed.ratio > 0
    assert card.lineage["bits"] == 8
    assert "## ONNX in 8 bits" in Path("b/card.md").read_text()
    assert call(monkeypatch, "verify", "b") == 0
    assert "ok   onnx-int8: integer: 6 QLinearConv" in capsys.readouterr().out

    Path("images").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)).save("images/a.png")
    shown = []
    for options in ([], ["--int8"]):
        assert call(monkeypatch, "run", "b", "--input", "images", "--out", f"out{len(options)}", *options) == 0
        shown.append(np.asarray(Image.open(f"out{len(options)}/a.png")).astype(int))
    assert 0 < np.abs(shown[0] - shown[1]).max() < 60
    plain = next(row for row in rows if row["bits"] == 32)
    assert call(monkeypatch, "export", "s", "--trial", plain["trial"], "--out", "f") == 0
    assert not Path("f", FILE).exists()
    assert "it has onnx; export it again with --formats onnx,onnx-int8" in refused(
        monkeypatch, capsys, "run", "f", "--int8", "--input", "images", "--out", "o"
    )


def test_a_float_trial_is_calibrated_after_training():
    """A trial of 32 bits gets an int8 file on demand, from the training data; its float files stay as they were."""
    card = read_card(calibrated())
    assert card.formats[INT8].notes[0] == CALIBRATED
    assert card.formats[INT8].numbers["largest_steps"] <= 1
    assert card.formats[INT8].measurements
    assert all(check.passed for check in verify_bundle(calibrated()))
    assert [check.name for check in verify_bundle(calibrated())][-1] == INT8
    out = new_folder() / "plain"
    export_trial(made().record, 2, made().root, out)
    ours, theirs = (load_weights(folder / bundles.WEIGHTS) for folder in (calibrated(), out))
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert list(read_card(out).formats) == ["onnx"]
    found = from_json(Quantization, json.loads((calibrated() / QUANTIZATION).read_text()))
    assert found.settings == QuantSettings(per_channel=True)
    assert card.formats[INT8].counts["parameter_bytes"] == quantized_bytes(bundles.load_bundle(out), found.settings)


@pytest.mark.parametrize("name", ["generator.onnx", FILE])
def test_no_file_tells_where_it_was_made(name):
    """An ONNX file of a bundle holds the graph and its numbers alone: no path and no source line."""
    file = onnx.load(calibrated() / name)
    for tensor in file.graph.initializer:
        tensor.ClearField("raw_data")
    words = file.SerializeToString()
    assert b".py" not in words
    assert b"/" not in words
    assert not [part for part in (file.graph, *file.graph.node, *file.graph.input) if part.metadata_props]


def test_a_changed_int8_file_is_found(tmp_path):
    """One layer's weights changed, with every hash put right again: verify still says so."""
    folder = Path(shutil.copytree(calibrated(), tmp_path / "b"))
    file = onnx.load(folder / FILE)
    weight = next(t for t in file.graph.initializer if t.name.endswith("weight_int"))
    weight.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weight), weight.name))
    onnx.save(file, folder / FILE)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][FILE] = file_sha256(folder / FILE)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    failed = [check.name for check in verify_bundle(folder) if not check.passed]
    assert failed == [INT8]


@pytest.mark.long
def test_the_published_quantizer_is_not_exported():
    """Trials with the published quantizer train and are exported in float32; who asks for int8 is told why not."""
    quantization = QuantSettings(scheme="published")
    config = StudyConfig(name="published", bits=(8,), quantization_settings=quantization, **SMALL)
    study = make(config, [("uniform", 0.6, "ladder:0", "run 8")])
    out = new_folder() / "b"
    card = export_trial(study.record, 0, study.root, out)
    assert INT8 not in card.formats
    assert any("no int8 file" in note for note in card.notes)
    assert picture_grid(study.record, study.root, rows=1)[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match="257 levels"):
        export_trial(study.record, 0, study.root, new_folder() / "c", int8=True)
