"""Objects by name: of a package, of a file, of a table's own folder, or given themselves."""

import json

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.user_code import load_named


def test_an_object_given_itself_is_returned():
    """An object that is not a string is not looked up."""
    assert load_named(json.dumps, "cost") is json.dumps


def test_a_leading_dot_is_relative_to_the_package():
    """`.module:name` is of the package given, `module:name` of any."""
    assert load_named(".decoder:JSONDecoder", "cost", "json") is load_named("json:JSONDecoder", "cost")


def test_an_object_of_a_file_is_loaded_by_its_path(tmp_path):
    """`file.py:name` runs the file and returns what has the name."""
    (tmp_path / "mine.py").write_text("def price(groups):\n    return 42\n")
    assert load_named(f"{tmp_path}/mine.py:price", "cost", "json")(None) == 42


@pytest.mark.parametrize("reference", ["json:nothing", "no_such_package:f", "json", "no_such_file.py:f"])
def test_what_cannot_be_loaded_is_one_line_that_names_it(reference):
    """A wrong name is the user's input: one line with the text, whatever is missing."""
    with pytest.raises(UserError) as caught:
        load_named(reference, "cost")
    assert reference.partition(":")[0] in str(caught.value)
    assert "\n" not in str(caught.value)
