"""The short torture test: real drivers with real networks, killed while they write. `make torture` is the long one."""

import random

import pytest

from .kills import Nursery
from .scenarios import calm_study, drivers


@pytest.fixture
def nursery():
    nursery = Nursery()
    yield nursery
    nursery.close()


def test_six_sigkills_change_nothing(nursery):
    """0 lost, 0 repeated beyond a checkpoint, 0 left RUNNING, and the uninterrupted study bit for bit."""
    calm = calm_study(nursery, 6)
    assert {row[1] for row in calm.table()} == {"COMPLETE", "PRUNED"}
    assert {row[2] for row in calm.table()} == {"uniform", "nudged"}
    done, faults = drivers(nursery, calm, 6, random.Random(1), 6)
    assert done.total() == 6
    assert faults == []
