"""Pictures that commands draw: two generators with maps of their differences, a network by its groups."""

import json

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.cli.plans.network_picture import _saved_at_half
from ganprune.studies.comparison.compare import compare_two
from ganprune.studies.comparison.measure_options import CompareOptions
from ganprune.studies.comparison.picture_pairs import PicturePair, draw_pairs, spread
from ganprune.studies.inference.output_pictures import write_output
from PIL import Image

from ...command_line import call, refused
from ...tiny_study import made, new_folder


def written(folder, images):
    """Write images (N, 3, H, W) in [-1, 1] as PNG files, and return the folder."""
    folder.mkdir()
    for i, image in enumerate(images):
        write_output(image, folder / f"{i:03d}.png")
    return folder


NETWORK = ("--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--image-size", "16")


def test_pairs_are_the_files_of_one_name(tmp_path):
    """The pictures of two folders at the spread places are taken as they are."""
    a, b = torch.rand(9, 3, 16, 16).round() * 2 - 1, torch.zeros(9, 3, 16, 16)
    folders = [str(written(tmp_path / name, images)) for name, images in (("a", a), ("b", b))]
    found = compare_two(*folders, CompareOptions(metric="shapes", real=folders[0]), pictures=3)
    assert [pair.place for pair in found.pairs] == spread(9, 3) == [0, 4, 8]
    for pair in found.pairs:
        assert torch.equal(pair.a, a[pair.place])
        assert float(pair.b.abs().max()) <= 1 / 127  # 0 lies between two levels


def test_trials_are_compared_on_the_same_inputs(monkeypatch, capsys):
    """A trial beside the teacher: input and target stand beside, and the teacher differs from itself nowhere."""
    study, folder = made(), new_folder()
    monkeypatch.chdir(folder)
    where = {"storage": f"sqlite:///{study.root.parent}/study.db", "artifacts": str(study.root)}
    found = compare_two("tiny:0", "tiny:teacher", CompareOptions(**where), pictures=2)
    assert [name for name, _ in found.pairs[0].shown] == ["input", "target"]
    assert all(pair.a.shape == (3, 16, 16) and not torch.equal(pair.a, pair.b) for pair in found.pairs)
    same = compare_two("tiny:teacher", "tiny:teacher", CompareOptions(**where), pictures=2)
    assert all(torch.equal(pair.a, pair.b) for pair in same.pairs)
    assert torch.equal(same.pairs[1].a, found.pairs[1].b)
    options = [word for name, value in where.items() for word in (f"--{name}", value)]
    assert call(monkeypatch, "compare", "tiny:0", "tiny:teacher", "--plot", "maps.png", "--rows", "2", *options) == 0
    assert "picture: maps.png" in capsys.readouterr().out
    with Image.open(folder / "maps.png") as picture:
        assert picture.width > picture.height  # five columns, two rows


def test_pictures_that_cannot_be_drawn_are_one_line(tmp_path, monkeypatch, capsys):
    """Images of other names, another suffix, rows without a picture, and outputs of two sizes."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        written(tmp_path / name, torch.zeros(4, 3, 16, 16))
    (tmp_path / "b" / "000.png").rename(tmp_path / "b" / "other.png")
    common = ("compare", "a", "b", "--real", "a", "--metric", "shapes")
    for options, said in (
        (("--plot", "x.png"), "--plot compares pictures of the same inputs: got images without common names"),
        (("--plot", "x.jpg"), "--plot x.jpg: expected a name that ends in .png"),
        (("--rows", "2"), "--rows is for --plot: got --rows 2 alone"),
    ):
        assert said in refused(monkeypatch, capsys, *common, *options)
    assert "--plot x.pdf: expected a name that ends in .png" in refused(
        monkeypatch, capsys, "inspect", *NETWORK, "--plot", "x.pdf"
    )
    with pytest.raises(ValueError, match="got A of 8x8 and B of 16x16 pixels"):
        draw_pairs([PicturePair(0, torch.zeros(3, 8, 8), torch.zeros(3, 16, 16))], "a", "b", tmp_path / "x.png")


def test_a_network_is_drawn_by_its_groups(tmp_path, monkeypatch, capsys):
    """MACs saved at half width are those of the table, and the file has a row per group."""
    assert call(monkeypatch, "inspect", *NETWORK, "--plot", tmp_path / "net.png", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    inputs = InputSpec.parse("3,16,16")
    groups = find_groups(build("resnet", {"ngf": 4, "n_blocks": 1}), inputs.examples())
    expected = [1 - group["macs_at_half"] / found["dense"]["macs"] for group in found["groups"]]
    assert _saved_at_half(groups, "macs") == pytest.approx(expected)
    with Image.open(tmp_path / "net.png") as picture:
        assert picture.width > 900
