"""The verdict of `make soak`: growth is seen, and the filling of caches at the start is not called growth."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from .measures import ALLOWED, Figures, growth, not_flat

FLAT = Figures(500.0, 20, 4, 0, 3.0)


def test_flat_figures_are_flat():
    """Also if the first quarter grows."""
    assert not_flat([FLAT] * 12) == []
    assert not_flat([replace(FLAT, memory_mb=100.0 * i) for i in range(1, 4)] + [FLAT] * 9) == []


@pytest.mark.parametrize("name", ALLOWED)
def test_a_steady_leak_of_each_figure_is_seen(name):
    """One unit or three percent of it per round, whichever is more."""
    step = max(1.0, 0.03 * getattr(FLAT, name))
    figures = [replace(FLAT, **{name: getattr(FLAT, name) + step * i}) for i in range(40)]
    (fault,) = not_flat(figures)
    assert fault.startswith(f"{name} grew from ")
    before, after = growth(figures)[name]
    assert after > before


def test_an_open_file_and_a_file_on_disk_are_counted(tmp_path):
    """The figures are those of this process and of the folders."""
    before = Figures.now(tmp_path)
    with tempfile.TemporaryFile():
        (tmp_path / "a").write_bytes(bytes(2**20))
        after = Figures.now(tmp_path)
    assert after.files == before.files + 1
    assert after.disk_mb == before.disk_mb + 1
    assert after.memory_mb > 10
    assert Figures.now(Path(tmp_path)).files == before.files
