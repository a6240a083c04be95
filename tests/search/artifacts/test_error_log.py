"""Tracebacks of the user's own code in a log; the error has one line."""

import pytest
from ganprune.gan_models.files.errors import UserError, UserErrors
from ganprune.gan_models.files.user_code import UserCodeFailed, load_object, refused
from ganprune.search.artifacts.error_log import LOG, tracebacks_in


def test_an_exception_that_came_through_a_users_file_is_theirs(tmp_path):
    """Whatever it was called for, the line has file and line number, and the log the traceback."""
    (tmp_path / "mine.py").write_text("def f(x):\n    return x['there']\n")
    function = load_object(f"{tmp_path / 'mine.py'}:f", "metric")
    with pytest.raises(
        UserCodeFailed, match=r"your own code raised KeyError: 'there' \(mine.py, line 2\); its traceback"
    ):
        with tracebacks_in(tmp_path / "study"):
            function({})
    assert "line 2, in f" in (tmp_path / "study" / LOG).read_text()


def test_an_exception_of_ours_stays_what_it_is(tmp_path):
    """A fault of ganprune is told as one, and nothing is written."""
    with pytest.raises(KeyError), tracebacks_in(tmp_path / "study"):
        {}["there"]
    with pytest.raises(UserError, match=r"^no such$"), tracebacks_in(tmp_path / "study"):
        raise UserError("no such")
    assert not (tmp_path / "study").exists()


def test_of_several_mistakes_those_of_code_name_the_log(tmp_path):
    """Each has a line of its own."""
    both = UserErrors([UserError("no such"), refused("data x.py:f", ValueError("odd"))])
    with pytest.raises(UserErrors) as raised, tracebacks_in(tmp_path):
        raise both
    first, second = str(raised.value).splitlines()
    assert (first, second) == ("no such", f"data x.py:f raised ValueError: odd; its traceback is in {tmp_path / LOG}")


def test_errors_of_trials_that_fail_alike_stay_alike(tmp_path):
    """The log is written, and not named."""
    with pytest.raises(UserError, match=r"odd$"), tracebacks_in(tmp_path, named=False):
        raise refused("data x.py:f", ValueError("odd"))
    assert (tmp_path / LOG).is_file()
