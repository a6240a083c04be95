"""Every row of the export formats writes, opens, agrees and says what is missing; another package's row works alike."""

import importlib
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.evaluators.cost.runtime import RuntimeUnavailable
from ganprune.gan_models.export.catalog import EXPORTERS, INT8, check_formats, default_formats, latency_writer
from ganprune.gan_models.export.exporter import ExportJob, Findings
from ganprune.gan_models.files import open_table
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.hashes import file_sha256
from ganprune.gan_models.files.packages import Package, PackageMissing
from ganprune.gan_models.networks.specs import Input, InputSpec
from ganprune.gan_models.quantization.settings import Quantization, QuantSettings
from ganprune.studies.bundles.bundle import read_card
from ganprune.studies.bundles.format_files import (
    FileGenerator,
    WantedFormats,
    check_format,
    opener,
    outputs_of,
    runs_here,
    write_formats,
)
from PIL import Image

from ...command_line import call, refused
from ...fakes.two_inputs import inputs, network

FIXTURE = Path(__file__).parents[2] / "fixtures" / "0.1.0"
SPEC = InputSpec((Input("image", "image", (3, 8, 8)), Input("style", "vector", (5,))))


def job(n: int = 2, **changes) -> ExportJob:
    return ExportJob(network(), inputs(n), SPEC.names, calibration=lambda: map(inputs, (8, 9, 10)), **changes)


@pytest.fixture
def name(request) -> str:
    """A row whose packages are installed: most runtimes are extras."""
    row = EXPORTERS[request.param]
    missing = [package.name for package in (*row.needs, *RUNTIMES[row.runtime].needs) if not package.installed()]
    if missing:
        pytest.skip(f"format {request.param} needs {', '.join(missing)}")
    return request.param


every_format = pytest.mark.parametrize("name", list(EXPORTERS), indirect=True)


@every_format
def test_every_format_gives_the_networks_outputs(name, tmp_path):
    """Its file, opened in its runtime, is within the row's tolerance, or passes the row's own checks, at any batch."""
    exporter = EXPORTERS[name]
    path = tmp_path / exporter.filename
    exporter.write(job() if exporter.free_batch else job(1, free_batch=False), path)
    assert {file.name for file in tmp_path.iterdir()} == set(exporter.files)
    if not runs_here(exporter):
        return
    generate = FileGenerator(exporter, path)
    for n in (1, 3):
        expected = outputs_of(network(), *inputs(n))
        found = generate(*inputs(n))
        assert found.shape == expected.shape
        difference = (found - expected).abs()
        if exporter.tolerance is None:  # another network, whose own checks decide: still near this one
            assert difference.mean() < 0.05
        else:
            assert difference.max() <= exporter.tolerance
    findings = exporter.examine(path, network(), inputs(4), opener(exporter))
    assert findings.passed
    assert exporter.tolerance is not None or findings.summary


@every_format
def test_every_format_tells_another_network_apart(name, tmp_path):
    """A file of other weights exceeds the tolerance, or fails the row's own checks."""
    report = write_formats(tmp_path, network(), SPEC, WantedFormats((name,)))[name]
    torch.manual_seed(1)
    other = type(network())().eval()
    if not runs_here(EXPORTERS[name]):
        assert "does not run here" in check_format(tmp_path, other, SPEC, name, report)
        return
    with pytest.raises(RuntimeError, match=EXPORTERS[name].filename):
        check_format(tmp_path, other, SPEC, name, report)
    assert report.file in check_format(tmp_path, network(), SPEC, name, report)


@every_format
def test_every_format_reports_its_file(name, tmp_path):
    """The report has the file's hash and size, its difference, runtime and operators; several formats have a speed."""
    reports = write_formats(tmp_path, network(), SPEC, WantedFormats(tuple(dict.fromkeys(("onnx", name)))))
    report, exporter = reports[name], EXPORTERS[name]
    assert report.sha256 == file_sha256(tmp_path / report.file)
    files = [exporter.filename, *(Path(exporter.filename).stem + part for part in exporter.parts)]
    assert report.bytes == sum((tmp_path / file).stat().st_size for file in files)
    assert report.runtime == RUNTIMES[exporter.runtime].title
    assert report.operators or not RUNTIMES[exporter.runtime].operators_of
    if not runs_here(exporter):
        assert "alone" in report.notes[-1]
        return
    assert report.difference is not None
    assert (report.allowed is None) == (exporter.tolerance is None)
    assert (report.speed is None) == (name == "onnx")
    assert report.line().startswith(exporter.filename)


@every_format
def test_every_format_can_have_fixed_sizes(name, tmp_path):
    """For latency it writes one file for inputs of exactly these sizes, and nothing beside it."""
    exporter = EXPORTERS[name]
    path = tmp_path / f"network{Path(exporter.filename).suffix}"
    latency_writer(name)(network(), inputs(1), path)
    assert {file.name for file in tmp_path.iterdir()} == {path.name, *(f"network{part}" for part in exporter.parts)}
    if not runs_here(exporter):
        with pytest.raises(RuntimeUnavailable, match="does not run here"):
            opener(exporter).open(path)
        return
    session = opener(exporter).open(path)
    assert session(*(x.numpy() for x in inputs(1)))[0].shape == (1, 3, 8, 8)


@pytest.mark.parametrize("name", list(EXPORTERS))
def test_a_missing_package_is_a_line_or_an_error(name, tmp_path, monkeypatch):
    """Asked for, the format fails with the command that installs its package; by default its absence says the same."""
    row = replace(EXPORTERS[name], needs=(Package("nosuchpackage", "no-such-package"),), written="always")
    monkeypatch.setitem(EXPORTERS.own, name, row)
    with pytest.raises(PackageMissing, match="pip install no-such-package"):
        write_formats(tmp_path, network(), SPEC, WantedFormats((name,)))
    report = write_formats(tmp_path, network(), SPEC, WantedFormats())[name]
    assert "pip install no-such-package" in report.line()
    assert not (tmp_path / row.filename).exists()
    assert check_format(tmp_path, network(), SPEC, name, report) == report.line()


def test_formats_by_default():
    """Float files always, the file in 8 bits of networks trained so; the published quantizer has none."""
    assert default_formats(None) == ("onnx",)
    assert default_formats(Quantization(QuantSettings(), {})) == ("onnx", INT8)
    assert default_formats(Quantization(QuantSettings(scheme="published"), {})) == ("onnx",)
    assert WantedFormats(int8=True).every == ("onnx", INT8)
    assert WantedFormats((INT8,)).every == (INT8,)
    assert WantedFormats(()).every == ()


def test_wrong_formats_are_refused(monkeypatch):
    """An unknown name proposes a near one; two formats that write one file cannot both be written."""
    with pytest.raises(UserError, match=r"unknown format 'onxn'; .*Did you mean onnx\?"):
        check_formats(["onxn"])
    monkeypatch.setitem(EXPORTERS.own, "twin", EXPORTERS["onnx"])
    with pytest.raises(UserError, match=r"formats onnx and twin both write generator\.onnx"):
        check_formats(["onnx", "twin"])
    with pytest.raises(UserError, match="is a type; expected an Exporter"):
        check_formats(["torch.nn:Conv2d"])


def test_a_format_whose_own_check_fails_is_not_handed_over(tmp_path, monkeypatch):
    """The row's `examine` decides, whoever asked: an error if nothing else was asked for, else a line without a file."""
    row = replace(EXPORTERS["onnx"], examiner=lambda *given: Findings(passed=False, summary="a bolt is loose"))
    monkeypatch.setitem(EXPORTERS.own, "onnx", row)
    with pytest.raises(RuntimeError, match=r"generator\.onnx is not the network .*: a bolt is loose"):
        write_formats(tmp_path, network(), SPEC, WantedFormats(("onnx",)))
    report = write_formats(tmp_path, network(), SPEC, WantedFormats())["onnx"]
    assert "a bolt is loose" in report.absent
    assert report.refused
    assert not (tmp_path / "generator.onnx").exists()


def doubled(job: ExportJob, path: Path) -> list[str]:
    """Write a program of twice the network."""

    class Doubled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = job.model.cpu().eval()

        def forward(self, *given: torch.Tensor) -> torch.Tensor:
            return 2 * self.inner(*given)

    torch.export.save(torch.export.export(Doubled(), tuple(job.inputs)), path)
    return []


def test_a_differing_format_does_not_refuse_the_others(tmp_path, monkeypatch, capsys):
    """The bundle has the other files; the card and the console say why one is missing, and the exit code is 1."""
    monkeypatch.chdir(tmp_path)
    row = replace(EXPORTERS["pt2"], writer=doubled, free_batch=False, free_size=False)
    monkeypatch.setitem(EXPORTERS.own, "pt2", row)
    shutil.copytree(FIXTURE, "study")
    at = ["--storage", "sqlite:///study/ganprune.db"]
    assert call(monkeypatch, "export", "old", "--trial", 6, "--formats", "pt2,onnx", "--out", "b", *at) == 1
    said = capsys.readouterr()
    assert "no PyTorch program file: it does not give the generator's outputs: " in said.out
    assert said.err.splitlines()[-1].startswith("error: not written: pt2; ")
    card = read_card(Path("b"))
    assert card.refused == ("pt2",)
    assert "largest difference" in card.formats["pt2"].absent
    assert Path("b/generator.onnx").is_file()
    assert not Path("b/generator.pt2").exists()
    assert "does not give the generator's outputs" in Path("b/card.md").read_text()
    assert call(monkeypatch, "verify", "b") == 0


TOY = '''
"""A format and its runtime, as another package would bring them: torch.export's own archive."""
import torch
from ganprune.evaluators.cost.runtime import Runtime
from ganprune.gan_models.export.exporter import Exporter


def write(job, path):
    torch.export.save(torch.export.export(job.model.cpu().eval(), tuple(job.inputs)), path)
    return ["written by a toy"]


def open_archive(source, dtype, threads, device):
    module = torch.export.load(source).module()

    def session(*arrays):
        with torch.no_grad():
            return (module(*map(torch.from_numpy, arrays)).numpy(),)

    return session


ARCHIVE = Exporter(write, "generator.pt2", "toy", "toy archive", free_batch=False)
TOY = Runtime(open_archive, "toy runtime", usage="z = 'by the toy'")
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Installs the package for one test."""
    site = tmp_path / "site"
    (site / "toy_formats-1.0.dist-info").mkdir(parents=True)
    (site / "ganprune_toy_formats.py").write_text(TOY)
    (site / "toy_formats-1.0.dist-info" / "METADATA").write_text("Name: toy-formats\nVersion: 1.0\n")
    (site / "toy_formats-1.0.dist-info" / "entry_points.txt").write_text(
        "[ganprune.exporters]\ntoy-archive = ganprune_toy_formats:ARCHIVE\n[ganprune.runtimes]\ntoy = ganprune_toy_formats:TOY\n"
    )
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    open_table._entry_points.cache_clear()
    yield
    open_table._entry_points.cache_clear()
    for table in (EXPORTERS, RUNTIMES):
        table._loaded.clear()
    sys.modules.pop("ganprune_toy_formats", None)


def test_a_format_of_another_package_works_alike(toy, tmp_path, monkeypatch, capsys):
    """Installed, it is listed by doctor, exported, on the card, verified and run; no file of ours knows it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(FIXTURE, "study")
    at = ["--storage", "sqlite:///study/ganprune.db"]
    call(monkeypatch, "doctor", "--json", *at)
    found = {finding["name"] for finding in json.loads(capsys.readouterr().out)}
    assert {"format toy-archive", "format onnx", "format onnx-int8", "runtime toy", "runtime onnxruntime"} <= found
    assert call(monkeypatch, "export", "old", "--trial", 6, "--formats", "onnx,toy-archive", "--out", "b", *at) == 0
    assert "generator.pt2 in toy runtime: largest difference" in capsys.readouterr().out
    card = read_card(Path("b"))
    assert list(card.formats) == ["onnx", "toy-archive"]
    assert card.formats["toy-archive"].difference <= 1e-4
    assert card.formats["toy-archive"].notes == ("written by a toy", "takes one example at a time")
    assert "z = 'by the toy'" in Path("b/card.md").read_text()
    assert call(monkeypatch, "verify", "b") == 0
    assert "ok   toy-archive: generator.pt2 in toy runtime" in capsys.readouterr().out
    Path("images").mkdir()
    for i in range(3):
        Image.fromarray(np.full((16, 16, 3), 60 * i, np.uint8)).save(f"images/{i}.png")
    for out, options in (("torch", []), ("toy", ["--format", "toy-archive"])):
        assert call(monkeypatch, "run", "b", "--input", "images", "--out", out, *options) == 0
    for i in range(3):
        pictures = [np.asarray(Image.open(f"{out}/{i}.png")).astype(int) for out in ("torch", "toy")]
        assert np.abs(pictures[0] - pictures[1]).max() <= 1
    assert "unknown format 'nothing'" in refused(
        monkeypatch, capsys, "run", "b", "--format", "nothing", "--input", "images"
    )


def test_a_bundle_of_a_format_that_is_not_installed_says_so(tmp_path):
    """Verifying it where the package is missing fails by name, and does not pass over the file."""
    report = write_formats(tmp_path, network(), SPEC, WantedFormats())["onnx"]
    with pytest.raises(UserError, match="unknown format 'toy-archive'"):
        check_format(tmp_path, network(), SPEC, "toy-archive", report)


class FixesItsBatch(torch.nn.Module):
    """A network whose forward takes the size of a batch as a number, as torch's attention does."""

    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x):
        return torch.tanh(self.last(self.first(x).reshape(len(x), 4, 8, 8)))


def test_a_network_that_fixes_its_batch_has_files_for_one_example_at_a_time(tmp_path):
    """Each file gives the outputs of batches of one and four, and its note says why it takes no batch."""
    torch.manual_seed(0)
    model, spec = FixesItsBatch().eval(), InputSpec((Input("image", "image", (3, 8, 8)),))
    wanted = WantedFormats(("onnx", INT8), calibration=lambda: [(torch.rand(4, 3, 8, 8),)])
    reports = write_formats(tmp_path, model, spec, wanted)
    for name in ("onnx", INT8):
        assert [note for note in reports[name].notes if "fixes the size" in note], reports[name]
        assert "takes one example at a time" in reports[name].notes
        assert FileGenerator(EXPORTERS[name], tmp_path / reports[name].file).batch == 1
        assert reports[name].file in check_format(tmp_path, model, spec, name, reports[name])
    assert reports["onnx"].difference <= 1e-6


def test_what_a_fixed_batch_lacks_is_filled_up_and_left_out(tmp_path):
    """A file for batches of two gives three outputs for three inputs."""
    torch.manual_seed(0)
    model, x = FixesItsBatch().eval(), torch.rand(3, 3, 8, 8)
    EXPORTERS["onnx"].write(ExportJob(model, (x[:2],), free_batch=False), tmp_path / "two.onnx")
    generate = FileGenerator(EXPORTERS["onnx"], tmp_path / "two.onnx")
    assert generate.batch == 2
    assert torch.allclose(generate(x), outputs_of(model, x), atol=1e-6)
