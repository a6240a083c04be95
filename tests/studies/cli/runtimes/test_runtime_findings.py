"""`ganprune inspect --runtime`."""

import json

from ....command_line import call, refused

RESNET = ["inspect", "--model", "resnet", "--model-args", "ngf=2,n_blocks=0", "--image-size", 16]


def test_findings_are_shown_by_module_with_shares_sources_and_rewrites(monkeypatch, capsys):
    """JSON has every finding; the table says what removes them."""
    assert call(monkeypatch, *RESNET, "--runtime", "litert", "--json") == 0
    found = json.loads(capsys.readouterr().out)["runtime"]
    assert found["title"] == "LiteRT on CPUs"
    (refused_by_converter,) = [row for row in found["findings"] if row["kind"] == "unsupported"]
    assert refused_by_converter["operators"] == {"conv_transpose2d": 2}
    assert 0 < refused_by_converter["share"] < 1
    assert refused_by_converter["rewrites"] == ["transposed-convolution"]
    assert refused_by_converter["source"].startswith("https://")
    assert call(monkeypatch, *RESNET, "--runtime", "litert", "--no-layers") == 0
    shown = capsys.readouterr().out
    assert "every finding is removed when format litert is written" in shown
    assert "https://github.com/google-ai-edge" in shown


def test_bad_options(monkeypatch, capsys):
    """An unknown runtime proposes a near one; a data type needs a runtime, and is one of three."""
    assert "unknown runtime 'litrt'" in refused(monkeypatch, capsys, *RESNET, "--runtime", "litrt")
    assert "--dtype is for --runtime" in refused(monkeypatch, capsys, *RESNET, "--dtype", "int8")
    assert "got int4; expected float32, float16, int8" in refused(
        monkeypatch, capsys, *RESNET, "--runtime", "ncnn", "--dtype", "int4"
    )
