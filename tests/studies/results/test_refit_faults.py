"""Exceptions that ended refits, under the tables of a study."""

from dataclasses import replace

from ganprune.gan_models.reconstruction.record import Reconstruction
from ganprune.studies.results.outcome import outcome_of
from ganprune.studies.results.tables import remarks

from ...records_by_hand import record, trial


def test_tables_name_each_exception_once_with_its_trials():
    """Two trials of one exception are one line; a refit that only was no better is none."""
    faults = ("KeyError: 'x'", "KeyError: 'x'", "")
    trials = [trial(number, 400 - number, 10.0 + number) for number in range(3)]
    trials = [
        replace(one, outcome=replace(one.ended(), reconstructions={"G": Reconstruction(False, "worse", fault=fault)}))
        for one, fault in zip(trials, faults, strict=True)
    ]
    notes = [line for line in remarks(outcome_of(record(*trials))) if "not refitted" in line]
    assert len(notes) == 1
    assert notes[0].startswith("note: trials 0, 1: the cut was not refitted")
    assert notes[0].endswith("G: KeyError: 'x'")
