"""Generators of a user's own, with other inputs and outputs than one RGB image, each through whole commands."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import optuna
import pytest
from PIL import Image, ImageDraw

from ..command_line import QUICK, call

SOURCE = Path(__file__).parents[1] / "gan_models" / "own_inputs.py"
N_TRAIN, N_TEST, SIDE = 8, 6, 16


def photo(n: int, side: int = SIDE) -> Image.Image:
    """A colored scene that depends on a number."""
    random = np.random.default_rng(n)
    picture = Image.new("RGB", (side, side), tuple(random.integers(0, 255, 3).tolist()))
    left, top = random.integers(0, side // 2, 2).tolist()
    ImageDraw.Draw(picture).ellipse((left, top, left + side // 2, top + side // 2), "white")
    return picture


def hole(n: int) -> Image.Image:
    """A mask."""
    picture = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(picture).rectangle((n % 6, 3, n % 6 + 5, 9), 255)
    return picture


def classes(n: int) -> Image.Image:
    """A label map of three classes, whose palette says nothing."""
    picture = Image.new("P", (SIDE, SIDE))
    picture.putpalette([200, 10, 10] * 3)
    ImageDraw.Draw(picture).rectangle((n % 6, 2, n % 6 + 4, 8), 1)
    ImageDraw.Draw(picture).rectangle((2, 10, 12, 14), 2)
    return picture


def write(root: Path, make) -> None:
    """Write what `make(n)` gives, name -> picture or array, into train/NAME and test/NAME; the empty name is the split."""
    for split, numbers in (("train", range(N_TRAIN)), ("test", range(100, 100 + N_TEST))):
        for n in numbers:
            for role, content in make(n).items():
                folder = root / split / role
                folder.mkdir(parents=True, exist_ok=True)
                if isinstance(content, np.ndarray):
                    np.save(folder / f"{n}.npy", content)
                else:
                    content.save(folder / f"{n}.png")


def beside(a: Image.Image, b: Image.Image) -> Image.Image:
    """A|B."""
    both = Image.new("RGB", (a.width + b.width, a.height))
    both.paste(a, (0, 0))
    both.paste(b, (a.width, 0))
    return both


@dataclass(frozen=True)
class Case:
    """A generator, its data, and what is run at the end."""

    model: str
    shape: str
    data: object  # a function of a number, or the name of a built-in set
    options: tuple = ()
    inputs: tuple[str, ...] = ()  # folders of one test split that `run` is given; none: samples are drawn
    made: tuple[str, tuple[int, int]] = ("RGB", (SIDE, SIDE))
    arguments: str = ""
    extra: tuple = field(default=())


CASES = {
    "image and mask": Case(
        "masked",
        "photo=3,16,16;mask:1,16,16",
        lambda n: {"photo": photo(n), "mask": hole(n), "target": photo(n)},
        inputs=("photo", "mask"),
    ),
    "class and latent": Case("of_class", "latent:6;label:4", "builtin:shapes", ("--task", "class_conditional")),
    "deep convolutional": Case(
        "deep_generator",
        "latent:12,1,1",
        "builtin:shapes",
        (
            *("--task", "unconditional", "--task-setting", "adversarial=vanilla"),
            *("--task-setting", "discriminator.model=own_inputs.py:deep_discriminator"),
        ),
        made=("RGB", (64, 64)),
        arguments="nz=12,ngf=4",
    ),
}


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(SOURCE, tmp_path / "own_inputs.py")
    return tmp_path


def searched(case: Case, place: Path) -> list:
    """The arguments of a search."""
    data = case.data
    if not isinstance(data, str):
        write(place / "data", data)
        data = "data"
    model = ["--model", f"own_inputs.py:{case.model}", "--input-shape", case.shape]
    model += ["--model-args", case.arguments] if case.arguments else []
    return [*model, "--data", data, *case.options, "--budget", "50%", "--study", "s", "--select-on", "test", *QUICK]


@pytest.mark.parametrize("name", CASES)
def test_it_is_searched_exported_verified_and_run(name, place, monkeypatch, capsys):
    """No wrapper: all trials complete, the bundle holds all inputs, verifies, and makes images of the right form."""
    case = CASES[name]
    assert call(monkeypatch, "search", *searched(case, place), "--trials", 2) == 0
    trials = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db").trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 2
    assert call(monkeypatch, "pareto", "s", "--pictures", "p.png") == 0
    assert call(monkeypatch, "export", "s", "--trial", 0, "--int8", "--out", "b") == 0
    assert {"generator.onnx", "generator-int8.onnx"} <= {path.name for path in Path("b").iterdir()}
    assert call(monkeypatch, "verify", "b") == 0
    given = ["--samples", 5]
    if case.inputs:
        folder = "data/test" if len(case.inputs) > 1 else f"data/test/{case.inputs[0]}".rstrip("/")
        given = ["--input", folder]
    assert call(monkeypatch, "run", "b", *given, *case.extra, "--out", "made") == 0
    made = [Image.open(path) for path in sorted((place / "made").iterdir())]
    assert [(image.mode, image.size) for image in made] == [case.made] * (N_TEST if case.inputs else 5)
