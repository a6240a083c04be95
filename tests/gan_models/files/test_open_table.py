"""Open tables: rows of ours, of other packages, and of users' files."""

import sys
from dataclasses import dataclass

import pytest
from ganprune.gan_models.files import open_table
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.open_table import OpenTable
from ganprune.gan_models.networks.catalog import find_builder
from ganprune.gan_models.pruning.catalog import METHODS


@dataclass(frozen=True)
class Row:
    note: str


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes an installed package `name` whose entry points in the group `ganprune.things` are `points`."""

    def make(name, points, source="from dataclasses import dataclass"):
        folder = tmp_path / name
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{name}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{key} = {value}\n" for key, value in points.items())
        (info / "entry_points.txt").write_text(f"[ganprune.things]\n{lines}")
        monkeypatch.syspath_prepend(str(folder))
        open_table._entry_points.cache_clear()

    yield make
    open_table._entry_points.cache_clear()


def table(**options):
    return OpenTable("thing", {"ours": Row("ours")}, group="ganprune.things", row_type=Row, **options)


def test_another_package_adds_a_row(package):
    """A row by entry point is listed after ours and imported only when it is asked for."""
    source = f"import sys\nRow = type(sys.modules[{__name__!r}].table().find('ours'))\nROW = Row('theirs')\n"
    package("theirs_package", {"theirs": "theirs_package:ROW"}, source)
    things = table()
    assert list(things) == ["ours", "theirs"]
    assert "theirs_package" not in sys.modules
    assert things["theirs"] == Row("theirs")


def test_an_unknown_name_is_refused_with_what_there_is():
    """The line names the kind, the allowed names and the nearest one."""
    with pytest.raises(UserError, match=r"unknown thing 'oars'; expected one of ours\. Did you mean ours\?"):
        table().find("oars")
    with pytest.raises(KeyError):
        table()["oars"]


def test_a_name_in_two_packages_is_refused(package):
    """Two packages that define one name are both named, and neither wins in silence."""
    package("first_package", {"same": "first_package:X"})
    package("second_package", {"same": "second_package:X"})
    with pytest.raises(UserError, match="'same' is defined twice: by first_package and second_package"):
        table().find("same")


def test_a_row_of_a_package_by_a_name_of_ours_is_told(package):
    """Ours stays; the package is named where names are refused, and by `ganprune doctor`."""
    assert table().hidden("ours") == ""
    package("theirs_package", {"ours": "theirs_package:ROW"})
    things, told = table(), "thing 'ours' of the package theirs_package is not used, because ganprune has one of this"
    assert things.find("ours") == Row("ours")
    assert things.hidden("ours").startswith(told)
    assert list(things) == ["ours"]
    with pytest.raises(UserError, match=rf"Did you mean ours\? Note: {told}"):
        things.find("oars")


def test_a_package_that_cannot_be_imported_is_named(package):
    """Another package's error is one line with the package's name."""
    package("broken_package", {"broken": "broken_package:X"}, "raise OSError('no\\nway')")
    with pytest.raises(UserError, match="of the package broken_package cannot be loaded: OSError: no way"):
        table().find("broken")


def test_a_row_of_another_type_is_refused(package):
    """An entry point must be a row."""
    package("odd_package", {"odd": "odd_package:X"}, "X = 3")
    with pytest.raises(UserError, match="is a int; expected a Row"):
        table().find("odd")


def test_an_object_by_path_is_adopted(tmp_path):
    """A user's object becomes a row if the table adopts objects, and is refused if it does not."""
    (tmp_path / "mine.py").write_text("def thing(): ...")
    path = f"{tmp_path}/mine.py:thing"
    assert table(adopt=lambda reference, found: Row(found.__name__)).find(path) == Row("thing")
    with pytest.raises(UserError, match="cannot be given by path"):
        table().find(path)


def test_who_looks_at_all_rows_passes_over_a_broken_package(package):
    """The rows that can be loaded come by name; the broken package is a warning, not an end."""
    package("torn_package", {"torn": "torn_package:ROW"}, "raise OSError('torn apart')")
    with pytest.warns(UserWarning, match="thing 'torn' of the package torn_package cannot be loaded.*torn apart"):
        assert dict(table().usable()) == {"ours": Row("ours")}


def test_a_row_knows_its_package(package):
    """By name and version for another package's; ours and objects by path have none."""
    package("known_package", {"known": "known_package:ROW"})
    things = table()
    assert (things.package("known").name, things.package("known").version()) == ("known_package", "1.0")
    assert things.package("ours") is None
    assert things.package("nowhere.py:ROW") is None
    with pytest.raises(UserError, match=r"expected one of ours, known\. Try to install the package that adds"):
        things.find("zzz")


def test_a_file_without_an_object_says_how_to_name_one():
    """`own.py` alone is no row; the colon is shown, for models and for rows of tables."""
    with pytest.raises(UserError, match=r"Try own\.py:NAME"):
        find_builder("own.py")
    with pytest.raises(UserError, match=r"Try own\.py:NAME"):
        METHODS.find("own.py")
