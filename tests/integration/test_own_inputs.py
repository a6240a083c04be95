"""Generators of a user's own, with other inputs and outputs than one RGB image, each through whole commands."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import optuna
import pytest
from PIL import Image, ImageDraw

from ..command_line import QUICK, call, refused

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
    "gray to colors": Case(
        "translator",
        "1,16,16",
        lambda n: {"": beside(photo(n).convert("L").convert("RGB"), photo(n))},
        arguments="taken=1",
        inputs=("",),
        extra=("--half", "A"),
    ),
    "colors to gray": Case(
        "translator",
        "3,16,16",
        lambda n: {"": beside(photo(n), photo(n))},
        arguments="given=1",
        inputs=("",),
        extra=("--half", "A"),
        made=("L", (SIDE, SIDE)),
    ),
    "lightness to a and b": Case(
        "translator",
        "1,16,16",
        lambda n: {"": photo(n)},
        ("--task", "paired"),
        arguments="taken=1,given=2",
        inputs=("",),
    ),
    "twice the size": Case(
        "upscaler",
        "3,16,16",
        lambda n: {"": photo(n, 2 * SIDE)},
        ("--scale", 2, "--degrade", "area"),
        inputs=("",),
        made=("RGB", (4 * SIDE, 4 * SIDE)),
    ),
    "image and mask": Case(
        "masked",
        "photo=3,16,16;mask:1,16,16",
        lambda n: {"photo": photo(n), "mask": hole(n), "target": photo(n)},
        inputs=("photo", "mask"),
    ),
    "label map and vector": Case(
        "semantic",
        "labels=label:3,16,16;mood=vector:2",
        lambda n: {"labels": classes(n), "mood": np.array([n % 3, 1.0]), "target": photo(n)},
        inputs=("labels", "mood"),
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


def test_run_draws_images_of_one_class_or_of_each_in_turn(place, monkeypatch, capsys):
    """Names say the class; the latents are those of the seed, so classes can be compared; others are refused."""
    case = CASES["class and latent"]
    assert call(monkeypatch, "search", *searched(case, place), "--trials", 1) == 0
    assert call(monkeypatch, "export", "s", "--trial", 0, "--formats", "", "--out", "b") == 0
    assert call(monkeypatch, "run", "b", "--samples", 4, "--out", "each") == 0
    assert sorted(path.name for path in (place / "each").iterdir()) == [
        f"sample-0-0000{n}-class{n}.png" for n in range(4)
    ]
    assert call(monkeypatch, "run", "b", "--samples", 4, "--label", 2, "--out", "two") == 0
    names = sorted(path.name for path in (place / "two").iterdir())
    assert names == [f"sample-0-0000{n}-class2.png" for n in range(4)]
    assert (place / "two" / names[2]).read_bytes() == (place / "each" / names[2]).read_bytes()
    assert "got 4; expected 0 to 3" in refused(monkeypatch, capsys, "run", "b", "--label", 4, "--out", "x")


def labeled_folders(root: Path, names) -> None:
    """Folders of classes with four pictures each."""
    for split in ("train", "test"):
        for i, name in enumerate(names):
            for n in range(4):
                (root / split / name).mkdir(parents=True, exist_ok=True)
                photo(10 * i + n).save(root / split / name / f"{split}{n}.png")


def test_folders_of_classes_are_known_by_the_generators_label(place, monkeypatch, capsys):
    """Without --task: the same folder is of classes for a generator that takes a label; the note says which is which."""
    labeled_folders(place / "animals", ("cat", "dog", "emu"))
    model = ["--model", "own_inputs.py:of_class", "--input-shape", "latent:6;label:4", "--data", "animals"]
    model += ["--task-setting", "discriminator.model=own_inputs.py:judge", "--budget", "50%", "--select-on", "test"]
    assert call(monkeypatch, "search", *model, *QUICK, "--trials", 1, "--study", "s") == 0
    assert "labels of classes: 0 cat, 1 dog, 2 emu" in capsys.readouterr().err
    settings = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db").user_attrs["ganprune.config"]
    assert settings["task"] == "class_conditional"


ROLES = "photo=3,16,16;mask:1,16,16"


def without(role: str, *numbers: int):
    """Return a function that makes entries of which some lack a role."""
    whole = CASES["image and mask"].data
    return lambda n: {name: x for name, x in whole(n).items() if name != role or (numbers and n not in numbers)}


REFUSED = {
    "a label beyond the classes": (
        "semantic", "labels=label:2,16,16;mood=vector:2",
        lambda n: {**CASES["label map and vector"].data(n), "labels": Image.new("L", (SIDE, SIDE), 2 * (n == 0))},
        ("0.png has a class out of range: got 2; expected 0 to 1",),
    ),
    "a mask of other values": (
        "masked", ROLES,
        lambda n: {**CASES["image and mask"].data(n), "mask": Image.new("L", (SIDE, SIDE), 90 * (n == 3))},
        ("3.png contains other values than black and white: got 90 of 255", "soft_masks=true"),
    ),
    "a folder that is not there": ("masked", ROLES, without("mask"), ("has no images of mask (mask:1,16,16)",)),
    "unequal counts": ("masked", ROLES, without("mask", 3, 5), ("2 targets have no mask (3, 5)",)),
    "another order": (
        "masked", "mask:1,16,16;photo=3,16,16", CASES["image and mask"].data,
        ("in another order: got mask=mask:1,16,16;photo=image:3,16,16; expected photo=image:3,16,16;mask=mask:1,16,16",),
    ),
    "pairs for two inputs": (
        "masked", ROLES, lambda n: {"": beside(photo(n), photo(n + 1))}, ("train/photo/, train/mask/, train/target/",)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line(name, place, monkeypatch, capsys):
    """Before anything is trained: the file, the value or the names are in the line."""
    model, shape, data, said = REFUSED[name]
    write(place / "data", data)
    given = ["--model", f"own_inputs.py:{model}", "--input-shape", shape, "--data", "data", "--task", "paired"]
    line = refused(monkeypatch, capsys, "search", *given, "--budget", "50%", "--study", "s", *QUICK)
    assert all(part in line for part in said)


def test_more_classes_than_the_generator_has_are_refused(place, monkeypatch, capsys):
    """The first class without a label is named."""
    labeled_folders(place / "animals", ("cat", "dog", "emu"))
    model = ["--model", "own_inputs.py:of_class", "--model-args", "classes=2", "--input-shape", "latent:6;label:2"]
    line = refused(
        monkeypatch, capsys, "search", *model, "--data", "animals", "--budget", "50%", "--study", "s", *QUICK
    )
    assert "got 3, of which 'emu' would be label 2; expected 2 at most" in line


def test_probabilities_are_refused_and_a_last_sigmoid_is_taken_off(place, monkeypatch, capsys):
    """Losses take raw scores: a sigmoid in a forward is named, and one that is a module is left out."""
    model = ["--model", "own_inputs.py:deep_generator", "--model-args", "nz=12,ngf=4", "--input-shape", "latent:12,1,1"]
    model += ["--data", "builtin:shapes", "--task", "unconditional", "--budget", "50%", "--study", "s", *QUICK[:-4]]
    wrong = ["--task-setting", "discriminator.model=own_inputs.py:probabilities"]
    line = refused(monkeypatch, capsys, "search", *model, *wrong)
    assert "returns probabilities, but the loss" in line
