"""Directions of metrics and their notes, in tables and for programs."""

from dataclasses import replace

from ganprune.evaluators.measurement import Measurement
from ganprune.studies.results.metric_directions import directions, metric_notes, saturation_line
from ganprune.studies.results.outcome import outcome_of
from ganprune.studies.results.tables import columns, remarks, trial_rows

from ...records_by_hand import record, trial

NOTE = "saturated, at its upper end"


def outcome(*notes):
    """A study of one trial per note, each with a recall that is noted so."""
    trials = []
    for number, note in enumerate(notes):
        one = trial(number, 400 - number, 10.0 + number)
        more = (
            Measurement("psnr", 20.0, "dB", better="higher"),
            Measurement("recall[shapes,n=9,k=5]", 1.0, "1", better="higher", note=note),
        )
        trials.append(replace(one, outcome=replace(one.outcome, measurements=one.outcome.measurements + more)))
    return outcome_of(record(*trials))


def test_each_metric_says_which_direction_is_better():
    """Headings have an arrow, and programs a word; a metric of an earlier version's record has neither."""
    found = outcome("")
    rows = trial_rows(found)
    assert directions(rows, found) == {
        "fd[shapes,n=9]": "lower",
        "psnr": "higher",
        "recall[shapes,n=9,k=5]": "higher",
    }
    heads = [column.head for column in columns(rows, found, every=True)]
    for head in ("fd[shapes,n=9] [90 %] ↓", "l1 (of [-1, 1])", "psnr (dB) ↑", "recall[shapes,n=9,k=5] ↑"):
        assert head in heads
    assert "↑ higher is better, ↓ lower is better" in remarks(found)


def test_saturated_metrics_are_named_with_their_trials():
    """One line under the table names the trials; programs have each note's text."""
    found = outcome(NOTE, "", NOTE)
    rows = trial_rows(found)
    assert metric_notes(rows) == {"recall[shapes,n=9,k=5]": {NOTE: ["trial 2", "trial 0"]}}
    assert saturation_line(rows).endswith("rows: recall of trials 2, 0")
    assert any(line.startswith("note: saturated") for line in remarks(found))
    assert saturation_line(trial_rows(outcome(""))) == ""
