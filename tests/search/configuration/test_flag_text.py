"""The text of a flag as a value."""

import json

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.search.configuration.flag_text import read_arguments, read_list, read_nested, read_numbers, read_setting
from hypothesis import given
from hypothesis import strategies as st


def test_values_are_numbers_truth_values_or_texts():
    """A text that JSON can read is read as JSON, in any case; any other stays a text."""
    read = read_arguments("ngf=16,rate=1e-3,dropout=True,affine=null,norm=batch,")
    assert read == {"ngf": 16, "rate": 0.001, "dropout": True, "affine": None, "norm": "batch"}
    assert read_arguments(["ngf=16", "ngf=8,blocks=2"]) == {"ngf": 8, "blocks": 2}
    with pytest.raises(UserError, match=r"'ngf' is not NAME=VALUE\. Try for example ngf=16,n_blocks=3"):
        read_arguments("ngf")


def test_dots_are_tables():
    """Two values below one table stand in it together."""
    assert read_nested("weight_l1=50,discriminator.ndf=16,discriminator.n_layers=2") == {
        "weight_l1": 50,
        "discriminator": {"ndf": 16, "n_layers": 2},
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("search.rungs=[0.25, 0.5]", [0.25, 0.5]),
        ("search.rungs=true", True),
        ("search.rungs='a,b'", "a,b"),
        ("search.rungs=bf16", "bf16"),
        ("search.rungs=a=b", "a=b"),
        ("search.rungs=", ""),
    ],
)
def test_a_setting_is_toml_or_else_a_text(text, value):
    """A text that TOML can read is its value; any other stays the text."""
    assert read_setting(text) == (("search", "rungs"), value)


@pytest.mark.parametrize("text", ["search.rungs", "=1", "search.=1", ".rungs=1"])
def test_a_setting_without_path_or_value_is_refused(text):
    """The text is shown, with an example of how it is written."""
    with pytest.raises(UserError, match=r"is not PATH=VALUE. Try for example training\.recipe\.amp=bf16"):
        read_setting(text)


def test_lists_have_no_empty_parts_and_numbers_are_checked():
    """A comma too many is no part; a part that is no number is named with its option."""
    assert read_list(" a, ,b,") == ["a", "b"]
    assert read_numbers("--rungs", "0.25,0.5", float) == [0.25, 0.5]
    with pytest.raises(UserError, match=r"--bits has an invalid part: got '8\.5'; expected whole numbers"):
        read_numbers("--bits", "32,8.5", int)


VALUES = {
    "mult=[1,2,4]": {"mult": [1, 2, 4]},
    'name="Res-X"': {"name": "Res-X"},
    "name='a,b',n=3": {"name": "a,b", "n": 3},
    "name=Res-X,norm=none": {"name": "Res-X", "norm": "none"},
    "a=TRUE,b=False,c=null,d=1e-3": {"a": True, "b": False, "c": None, "d": 0.001},
    "layers=[a,b]": {"layers": ["a", "b"]},
    'sizes=(1,2),more={"x":[1,2]}': {"sizes": (1, 2), "more": {"x": [1, 2]}},
    "who=it's,n=2": {"who": "it's", "n": 2},
}


@pytest.mark.parametrize(("text", "values"), VALUES.items())
def test_values_are_read_as_written(text, values):
    """Commas within brackets and quotes belong to the value, and case is kept."""
    assert read_arguments(text) == values


@pytest.mark.parametrize("text", ["mult=[1,2", "mult=1,2]", 'name="Res', "mult=[1,2)"])
def test_what_is_not_closed_is_refused_by_the_whole_text(text):
    """The message repeats what was given and shows the form."""
    with pytest.raises(UserError, match=r"Try for example mult=\[1,2,4\]") as refused:
        read_arguments(text)
    assert text in str(refused.value)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.from_regex(r"[a-z]\w*", fullmatch=True), PLAIN, min_size=1, max_size=3))
def test_any_json_survives(values):
    """Values written as JSON are read as the same values, among others."""
    assert read_arguments(",".join(f"{name}={json.dumps(value)}" for name, value in values.items())) == values


@pytest.mark.parametrize("read", [read_arguments, read_nested])
def test_one_text_gives_a_name_one_value(read):
    """The second of two values does not win in silence; the same one twice does no harm."""
    with pytest.raises(UserError, match="two values for width: got 6 and 8"):
        read("width=6,norm=batch,width=8")
    assert read("width=6,width=6") == {"width": 6}


@pytest.mark.parametrize("text", ["judge=1,judge.ndf=2", "judge.ndf=2,judge=1", "judge.ndf=1,judge.ndf.x=2"])
def test_a_name_is_a_value_or_a_table(text):
    """Both in one text are refused, in either order."""
    with pytest.raises(UserError, match="judge"):
        read_nested(text)
