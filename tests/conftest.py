"""Fixtures of every test: no user's own folders are read or written; and databases to test on."""

import os
import tempfile

import pytest
from hypothesis import settings

from .postgres import Server, binaries

# Set before anything of the project is imported, and inherited by the processes that tests start.
_CACHE = tempfile.TemporaryDirectory(prefix="ganprune-test-cache-")
os.environ["GANPRUNE_CACHE"] = _CACHE.name


settings.register_profile("ganprune", deadline=None)  # machines are shared: a slow example is no failure
settings.load_profile("ganprune")


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server; skipped where there are no binaries, unless REQUIRE_POSTGRES=1."""
    if binaries() is None:
        reason = "no PostgreSQL binaries (postgres, initdb); apt-get install postgresql"
        if os.environ.get("REQUIRE_POSTGRES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    server = Server()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request, tmp_path):
    """An empty database of each kind that studies can live in."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres").new_database()
    return f"sqlite:///{tmp_path}/studies.db"
