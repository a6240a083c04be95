"""`fid` and `compare` as a user meets them."""

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from ganprune.evaluators.features.catalog import load_encoder
from ganprune.evaluators.features.statistics import FeatureStatistics
from ganprune.evaluators.quality.frechet import frechet_distance
from ganprune.gan_models.data.synthetic import render_shapes
from ganprune.studies.bundles.export import export_trial
from ganprune.studies.comparison import image_sources
from ganprune.studies.results.outcome import measurements_of
from PIL import Image

from ...command_line import call, refused
from ...fakes.features import features_of
from ...tiny_study import made, new_folder

N = 24
ROUNDING = (
    1e-6  # of a measurement done again: convolutions may round otherwise where the weights lie elsewhere in memory
)


@cache
def exported(number) -> Path:
    """A trial of the tiny study as a bundle; do not change it: copy it."""
    out = new_folder() / "bundle"
    export_trial(made().record, number, made().root, out)
    return out


def written(folder: Path, images) -> Path:
    """Images (N, 3, H, W) in [-1, 1] as PNG files."""
    folder.mkdir(parents=True)
    for i, image in enumerate(((images + 1) * 127.5).round().to(torch.uint8)):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i:03d}.png")
    return folder


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Real paintings; the same with a little noise, with much of it; other paintings."""
    monkeypatch.chdir(tmp_path)
    _, paintings = (part.float() / 127.5 - 1 for part in render_shapes(1, "test", range(2 * N), 32))
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(N, 3, 32, 32, generator=random)
    written(tmp_path / "real", paintings[:N])
    written(tmp_path / "little", (paintings[N:] + 0.05 * noise).clamp(-1, 1))
    written(tmp_path / "much", (paintings[N:] + 0.7 * noise).clamp(-1, 1))
    written(tmp_path / "twin", (paintings[N:] + 0.05 * noise.flip(0)).clamp(-1, 1))
    return tmp_path


def said(capsys, monkeypatch, *arguments):
    """Return the JSON that a command prints."""
    capsys.readouterr()
    assert call(monkeypatch, *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_two_folders(folders, monkeypatch, capsys):
    """Distance with interval first, then kernel distance and shares; n of both sides and the protocol are said."""
    found = said(capsys, monkeypatch, "fid", "little", "real", "--metric", "shapes")
    first, *rest = found["measurements"]
    assert first["name"] == "fd[shapes,n=24]"
    assert first["low"] < first["value"] < first["high"]
    assert rest[0]["name"] == "kd[shapes,n=24]"
    assert (found["n_generated"], found["n_real"]) == (N, N)
    assert first["protocol"].startswith("images-vs-images; n_real=24; 8 bits")
    encoder = load_encoder("shapes")
    sides = []
    for name in ("little", "real"):
        pixels = np.stack([np.array(Image.open(path)) for path in sorted((folders / name).glob("*.png"))])
        sides.append(features_of([torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1], encoder))
    assert first["value"] == pytest.approx(frechet_distance(*sides), rel=1e-5)
    assert call(monkeypatch, "fid", "little", "real", "--metric", "shapes", "--extrapolate", "--kid-subset", 20) == 0
    printed = capsys.readouterr().out
    for part in (
        "fd[shapes,n=24]",
        "fd[shapes,n=inf]",
        "kd[shapes,n=24,subset=20]",
        "kd[shapes,n=24]",
        "24 of A, 24 real",
        "protocol: images-vs-",
    ):
        assert part in printed


def test_statistics_are_written_and_read(folders, monkeypatch, capsys):
    """--save writes pytorch-fid's .npz of the real side; read back it gives the same distance, on either side."""
    one = said(capsys, monkeypatch, "fid", "little", "real", "--metric", "shapes", "--save", "real.npz")
    with np.load("real.npz") as arrays:
        assert {"mu", "sigma"} <= set(arrays)
    two = said(capsys, monkeypatch, "fid", "little", "real.npz", "--metric", "shapes")
    values = [found["measurements"][0]["value"] for found in (one, two)]
    assert values[1] == pytest.approx(values[0], rel=1e-6)
    assert [m["name"] for m in two["measurements"]] == ["fd[shapes,n=24]"]
    assert two["measurements"][0]["low"] is not None
    plain = FeatureStatistics.load(Path("real.npz"))
    np.savez("theirs.npz", mu=plain.mean.numpy(), sigma=plain.covariance.numpy())
    both = said(capsys, monkeypatch, "fid", "theirs.npz", "real.npz", "--metric", "shapes")
    assert both["measurements"][0]["name"] == "fd[shapes,n=unknown]"
    assert both["measurements"][0]["value"] == pytest.approx(0, abs=1e-6)
    assert (both["n_generated"], both["n_real"]) == (None, N)


def test_where_statistics_cannot_be_written_is_said_first(folders, monkeypatch, capsys):
    """--save into a folder that is not there is refused before anything else is looked at."""
    line = refused(monkeypatch, capsys, "fid", "nowhere", "real", "--metric", "shapes", "--save", "no/x.npz")
    assert f"the folder {folders / 'no'} does not exist" in line


def test_a_bundle_on_its_data_is_at_its_cards_number(monkeypatch, capsys, tmp_path):
    """A bundle fed the data of its study measures what the trial measured; other real images may be given."""
    trial = measurements_of(made().record.trials[2])
    found = said(capsys, monkeypatch, "fid", exported(2), "builtin:shapes", "--metric", "shapes")
    recorded = {m.name: m.value for m in trial if not m.protocol.startswith(("counted", "largest"))}
    assert {m["name"]: m["value"] for m in found["measurements"]} == pytest.approx(recorded, rel=ROUNDING)
    assert found["measurements"][0]["protocol"] == trial[0].protocol
    other = said(
        capsys, monkeypatch, "fid", exported(2), "builtin:shapes", "--metric", "shapes", "--protocol",
        "test-vs-train+test", "--n-eval", 6,
    )  # fmt: skip
    assert other["measurements"][0]["name"] == "fd[shapes,n=6]"
    assert (other["n_real"], other["measurements"][0]["protocol"].split("; ")[0]) == (14, "test-vs-train+test")
    _, paintings = (part.float() / 127.5 - 1 for part in render_shapes(9, "test", range(10), 16))
    given = written(tmp_path / "given", paintings)
    third = said(capsys, monkeypatch, "fid", exported(2), given, "--data", "builtin:shapes", "--metric", "shapes")
    assert third["n_real"] == 10
    assert third["measurements"][0]["protocol"].startswith("test inputs of builtin:shapes vs ")


def test_real_features_come_from_the_cache(monkeypatch, capsys):
    """Features that the study's teacher took of the real images are not taken again for a bundle on the same data."""
    made()
    said(capsys, monkeypatch, "fid", exported(0), "builtin:shapes", "--metric", "shapes")
    monkeypatch.setattr(image_sources.RealImages, "batches", lambda self: pytest.fail("real images were read again"))
    said(capsys, monkeypatch, "fid", exported(0), "builtin:shapes", "--metric", "shapes")


def test_compare_says_which_is_better_or_that_it_cannot_tell(folders, monkeypatch, capsys):
    """Clearly worse images lose whichever way round; two of a kind cannot be told apart; p and n are said."""
    common = ["--real", "real", "--metric", "shapes"]
    better = said(capsys, monkeypatch, "compare", "little", "much", *common)
    assert better["verdict"].startswith("A better (p=")
    assert better["p"] < 0.05
    assert better["distance_a"] < better["distance_b"]
    assert better["matched"] is True
    swapped = said(capsys, monkeypatch, "compare", "much", "little", *common)
    assert swapped["verdict"].startswith("B better (p=")
    assert swapped["difference"]["value"] == pytest.approx(-better["difference"]["value"])
    capsys.readouterr()
    assert call(monkeypatch, "compare", "little", "twin", *common) == 0
    assert "cannot tell A from B at n=24 (p=" in capsys.readouterr().out
    (folders / "much" / "000.png").rename(folders / "much" / "zzz.png")
    assert said(capsys, monkeypatch, "compare", "little", "much", *common)["matched"] is False


@pytest.mark.long
def test_compare_trials_and_bundles(monkeypatch, capsys, tmp_path):
    """Two trials of a study, the teacher, and their bundles on the study's data: the same distances as on record."""
    study, folder = made(), new_folder()
    url = f"sqlite:///{study.root.parent}/study.db"
    monkeypatch.chdir(folder)
    where = ["--storage", url, "--artifacts", study.root]
    found = said(capsys, monkeypatch, "compare", "tiny:0", "tiny:2", *where)
    recorded = [study.record.trials[i].quality for i in (0, 2)]
    assert [found["distance_a"], found["distance_b"]] == pytest.approx(recorded, rel=ROUNDING)
    bundles = said(
        capsys, monkeypatch, "compare", exported(0), exported(2), "--data", "builtin:shapes", "--metric", "shapes"
    )
    both = (found["p"], found["distance_a"])
    assert (bundles["p"], bundles["distance_a"]) == pytest.approx(both, rel=ROUNDING)
    assert found["matched"] is bundles["matched"] is True
    same = said(capsys, monkeypatch, "compare", "tiny:teacher", "tiny:teacher", *where)
    assert (same["p"], same["difference"]["value"]) == (1.0, 0.0)
    assert "cannot tell A from B" in same["verdict"]
    mixed = said(capsys, monkeypatch, "compare", "tiny:0", exported(2), *where)
    assert (mixed["distance_b"], mixed["p"]) == pytest.approx((found["distance_b"], found["p"]), rel=ROUNDING)
    quality = said(capsys, monkeypatch, "fid", "tiny:2", *where)
    assert quality["measurements"][0]["value"] == pytest.approx(recorded[1], rel=ROUNDING)


METRIC = """
from ganprune.evaluators.measurement import Measurement

class Brightness:
    better = "higher"
    def __init__(self): self.total, self.n, self.real = 0.0, 0, None
    def prepare(self, real):
        if real.images is not None: self.real = sum(float(x.mean((1, 2, 3)).sum()) for x in real.images())
    def reset(self, full): self.total, self.n = 0.0, 0
    def update(self, outputs, references):
        self.total, self.n = self.total + float(outputs.mean((1, 2, 3)).sum()), self.n + len(outputs)
    def compute(self): return [Measurement("brightness", self.total / self.n, "1", n=self.n, protocol=f"real {self.real:.3f}")]
"""


def test_other_metrics_are_measured_besides(folders, monkeypatch, capsys):
    """`--also-measure` adds a metric to `fid` and, for both sides, to `compare`: for folders, bundles and trials; it is
    given the real images too."""
    (folders / "mine.py").write_text(METRIC)
    asked = ["--metric", "shapes", "--also-measure", "mine.py:Brightness"]
    plain = said(capsys, monkeypatch, "fid", "little", "real", "--metric", "shapes")["measurements"]
    found = said(capsys, monkeypatch, "fid", "little", "real", *asked)["measurements"]
    assert [m["name"] for m in found] == [*[m["name"] for m in plain], "brightness"]
    pixels = [np.array(Image.open(path)) for path in (folders / "little").glob("*.png")]
    assert found[-1]["value"] == pytest.approx(np.mean(pixels) / 127.5 - 1, abs=1e-4)
    assert "real None" not in found[-1]["protocol"]
    both = said(capsys, monkeypatch, "compare", "little", "much", "--real", "real", *asked)
    assert both["measurements_a"][-1]["value"] == found[-1]["value"]
    assert both["measurements_b"][-1]["name"] == "brightness"
    of_bundle = said(capsys, monkeypatch, "fid", exported(2), "builtin:shapes", *asked)["measurements"]
    assert of_bundle[-1]["name"] == "brightness"
    (folders / "few").mkdir()
    for path in sorted((folders / "little").glob("*.png"))[:8]:  # as many as the bundle's data have
        (folders / "few" / path.name).write_bytes(path.read_bytes())
    mixed = said(capsys, monkeypatch, "compare", "few", exported(2), "--data", "builtin:shapes", *asked)
    for side in ("measurements_a", "measurements_b"):  # the real images are those of the bundle's data, for both
        assert "real None" not in mixed[side][-1]["protocol"]
    where = ["--storage", f"sqlite:///{made().root.parent}/study.db", "--artifacts", made().root]
    of_trials = said(capsys, monkeypatch, "compare", "tiny:2", "tiny:teacher", *asked, *where)
    assert of_trials["measurements_a"][-1]["value"] == pytest.approx(of_bundle[-1]["value"], rel=1e-4)


def test_weights_are_given_by_name(folders, monkeypatch, capsys):
    """`--weights NAME=FILE` reaches an encoder as `--inception-weights` does."""
    (folders / "w.pth").write_bytes(b"no weights")
    lines = [
        refused(monkeypatch, capsys, "fid", "little", "real", "--metric", "inception", *given)
        for given in (["--weights", "inception=w.pth"], ["--inception-weights", "w.pth"])
    ]
    assert lines[0] == lines[1]
    assert "w.pth" in lines[0]


BAD = [
    (
        ["fid", "little", "real", "--metric", "shapes", "--also-measure", "ssim"],
        "ssim compares each image with its ref",
    ),
    (["fid", "little", "real", "--also-measure", "ssmi"], "unknown metric 'ssmi'; expected one of frechet"),
    (["fid", "wide.npz", "real", "--metric", "shapes", "--also-measure", "kernel"], "--also-measure needs images"),
    (
        ["fid", "little", "real", "--direction", "left"],
        "direction 'left' is unknown; use AtoB or BtoA, or leave it out",
    ),
    (["fid", "nowhere", "real"], "nowhere does not exist; give a folder of images"),
    (["fid", "little"], "nothing to compare the images with"),
    (["fid", "little", "real", "--metric", "vgg"], "use auto, inception, lite0, shapes"),
    (["fid", "little", "text.txt"], "text.txt is a file; give a folder"),
    (["fid", "little", "small.npz", "--metric", "shapes"], "statistics of 3 features, the encoder 'shapes' gives 96"),
    (["fid", "little", "broken.npz", "--metric", "shapes"], "not an .npz of statistics"),
    (["fid", "empty", "real", "--metric", "shapes"], "holds no images"),
    (["fid", "bundle"], "expected --data"),
    (["fid", "bundle", "small.npz"], "expected --data"),
    (["fid", "bundle", "builtin:shapes", "--protocol", "all", "--metric", "shapes"], "use test-vs-test, "),
    (["fid", "bundle", "builtin:stripes", "--metric", "shapes"], "serves the task unpaired or stylize, not paired"),
    (["fid", "little", "bundle", "--metric", "shapes"], "real images have the wrong kind"),
    (["compare", "little", "much", "--metric", "shapes"], "there are no real images"),
    (["compare", "little", "small.npz", "--real", "real"], "contains only statistics"),
    (["compare", "little", "few", "--real", "real", "--metric", "shapes"], "got 24 images of A and 2 of B"),
    (["compare", "little", "much", "--real", "real", "--level", "5"], "between 0 and 1"),
    (["fid", "little", "real", "--metric", "shapes", "--save", "empty"], "--save empty is a folder: expected a file"),
    (["compare", "a:1", "b:2"], "trials of a and b: export both"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_what_cannot_be_measured_is_one_line(arguments, says, folders, monkeypatch, capsys):
    """Each wrong call ends with exit code 2 and one line that says what is allowed."""
    (folders / "text.txt").write_text("x")
    (folders / "empty").mkdir()
    FeatureStatistics(torch.zeros(3), torch.eye(3), 5).save(folders / "small.npz")
    FeatureStatistics(torch.zeros(96), torch.eye(96), 5).save(folders / "wide.npz")
    (folders / "broken.npz").write_text("x")
    written(folders / "few", torch.zeros(2, 3, 16, 16))
    shutil.copytree(exported(0), folders / "bundle")
    assert says in refused(monkeypatch, capsys, *arguments)
