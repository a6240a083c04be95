"""Objects in the place of names by path: those of files and packages, and the refusal of all others."""

import functools
import sys
from pathlib import Path

import numpy as np
import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.user_code import load_object
from ganprune.search.configuration.object_names import OBJECT_LIST_OPTIONS, OBJECT_OPTIONS, name_of, with_names
from ganprune.search.setup import kept_files
from torch import nn

NAMED = functools.partial(print, 1)


def trained(generator, report): ...


class Outer:
    class Inner: ...


def test_an_object_of_a_file_is_named_by_the_file():
    """Functions, classes, classes of classes, and objects that the module has a name for."""
    for given, name in ((trained, "trained"), (Outer, "Outer"), (Outer.Inner, "Outer.Inner"), (NAMED, "NAMED")):
        assert name_of(given, "own_training") == f"{Path(__file__).absolute()}:{name}"


def test_an_object_of_a_package_is_named_by_its_module():
    """Workers import it."""
    assert name_of(nn.Conv2d, "model") == "torch.nn.modules.conv:Conv2d"
    assert name_of(name_of, "metric") == "ganprune.search.configuration.object_names:name_of"


def test_the_object_of_a_file_that_was_loaded_by_path_is_named_by_it(tmp_path):
    """Its module has a name of ours, and the file it came from."""
    (tmp_path / "mine.py").write_text("def score(images): ...\n")
    reference = f"{tmp_path / 'mine.py'}:score"
    assert name_of(load_object(reference, "metric"), "metric") == reference


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda images: 0, "lambda"),
        (functools.partial(print, 2), "an object of type partial, which is created inside a function"),
        (nn.ReLU(), "an object of type ReLU, which"),
    ],
)
def test_what_no_module_has_a_name_for_is_refused(given, said):
    """In one line that says how to move it."""
    with pytest.raises(UserError, match=said) as raised:
        name_of(given, "metric")
    assert "Try moving it into a file, my_metric.py" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_object_of_a_notebook_or_script_is_refused(monkeypatch):
    """Workers do not run its cells."""

    def cell(split): ...

    cell.__module__, cell.__qualname__ = "__main__", "cell"
    monkeypatch.setattr(sys.modules["__main__"], "cell", cell, raising=False)
    with pytest.raises(UserError, match="data cannot be loaded by workers: got cell, which is defined in a notebook"):
        name_of(cell, "data")


def test_every_option_that_takes_a_name_by_path_takes_an_object():
    """Those of the table of copied files, and of the task's settings."""
    assert {*OBJECT_OPTIONS} == {*kept_files._FILE_OPTIONS}
    assert {*OBJECT_LIST_OPTIONS} == {*kept_files._FILE_LIST_OPTIONS}
    name = f"{Path(__file__).absolute()}:Outer"
    given = with_names(
        {
            "data": Outer, "methods": [Outer, "coronet"], "name": "s",
            "task_settings": {"discriminator": {"model": Outer, "ndf": 4}, "degrade": Outer},
        }
    )  # fmt: skip
    assert given == {
        "data": name, "methods": (name, "coronet"), "name": "s",
        "task_settings": {"discriminator": {"model": name, "ndf": 4}, "degrade": name},
    }  # fmt: skip


def test_methods_are_named_by_the_class_in_settings_and_shares_and_the_segmenter_in_weights():
    """Nobody has to know the name that a class gets."""
    name = f"{Path(__file__).absolute()}:Outer"
    given = {"method_settings": {Outer: {"tilt": 1}}, "shares": {Outer: 2.0}, "weights": {"segmenter": trained}}
    assert with_names(given) == {
        "method_settings": {name: {"tilt": 1}}, "shares": {name: 2.0},
        "weights": {"segmenter": f"{Path(__file__).absolute()}:trained"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model_args": {"norm": nn.ReLU}}, "model_args.norm cannot be recorded with the study: got ReLU; expected"),
        ({"model_args": {"ngf": np.int64(8)}}, "model_args.ngf cannot be recorded .*: got an object of type int64"),
        ({"task_settings": {"a": {"b": [lambda x: x]}}}, "task_settings.a.b cannot be recorded .*: got <lambda>"),
        ({"task_settings": {"discriminator": {"model": lambda: 0}}}, "discriminator cannot be loaded by workers"),
        (
            {"method_settings": {"coronet": {"embedding": print}}},
            "method_settings.coronet.embedding cannot be recorded",
        ),
        ({"method_settings": {(lambda: 0): {}}}, "methods cannot be loaded by workers: got <lambda>"),
        ({"shares": {"uniform": trained}}, "shares.uniform cannot be recorded with the study: got trained"),
        ({"weights": {"segmenter": lambda x: x}}, "segmenter cannot be loaded by workers: got <lambda>"),
        ({"weights": {"vgg": open}}, "weights.vgg cannot be recorded with the study: got open"),
        ({"also_measure": [3]}, "also_measure is not a name: got 3; expected a text, or a function"),
        ({"methods": [None]}, "methods is not a name: got None"),
        ({3: "x"}, "an option's name is not a text: got 3"),
    ],
)
def test_what_cannot_be_recorded_is_refused_wherever_it_stands(given, said):
    """Settings and arguments are plain values: the line names the place."""
    with pytest.raises(UserError, match=said) as raised:
        with_names(given)
    assert "\n" not in str(raised.value)
