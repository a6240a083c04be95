"""The untouched input is a row under the teacher, and what is worse than it says so."""

import json
from dataclasses import replace

import pytest
from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.files.plain_values import to_json
from ganprune.search.records.teacher_artifact import TeacherArtifact
from ganprune.studies.report.html import report_html
from ganprune.studies.results.outcome import outcome_of
from ganprune.studies.results.tables import csv_text, front_rows, remarks, rows_json, trial_rows

from ...records_by_hand import record, trial

NAME = "fd[shapes,n=9]"


def distance(value, reach=1.0):
    return Measurement(NAME, value, "1", value - reach, value + reach, 9, "of inputs")


def study(*trials, teacher=2.0, inputs=15.0, notes=(), reach=1.0, **config):
    """A study whose teacher and untouched inputs have these qualities; `inputs=None`: it takes no images."""
    found = () if inputs is None else (distance(inputs, reach), Measurement.absent("psnr", "dB", "psnr is infinite", 9))
    artifact = TeacherArtifact(measurements=(distance(teacher, reach),), inputs=found, notes=tuple(notes))
    made = record(*trials, **config)
    stored = json.loads(json.dumps(to_json(artifact)))  # as the database has it
    return replace(made, attributes={**made.attributes, "ganprune.teacher": stored})


TRIALS = (trial(0, 400, 10.0), trial(1, 200, 20.0))


def test_the_input_is_the_row_under_the_teacher():
    """It has quality and metrics, and no trial, cost or parameters; front, all trials, CSV and JSON have it."""
    outcome = outcome_of(study(*TRIALS))
    for rows in (front_rows(outcome), trial_rows(outcome)):
        assert [row.method for row in rows[:2]] == ["dense teacher", "input"]
        row = rows[1]
        assert (row.trial, row.cost, row.share, row.params, row.seconds) == (None,) * 5
        assert (row.quality, row.low, row.high) == (15.0, 14.0, 16.0)
    assert rows_json(trial_rows(outcome))[1]["quality"] == 15.0
    assert ",input," in csv_text(trial_rows(outcome)).splitlines()[2]
    assert "psnr" in rows[1].metrics


def test_without_image_inputs_there_is_no_row():
    """A generator of latents, and a study of an earlier version, have the teacher alone."""
    assert [row.method for row in front_rows(outcome_of(study(*TRIALS, inputs=None)))] == [
        "dense teacher",
        *["uniform"] * 2,
    ]
    assert outcome_of(record(*TRIALS)).inputs == ()


def test_trials_behind_the_input_are_marked():
    """A finished trial is marked if its quality is above that of the input; one that was stopped at a rung is not."""
    stopped = trial(2, 300, 40.0, state="PRUNED")
    rows = trial_rows(outcome_of(study(*TRIALS, stopped)))
    marked = {row.trial: "worse than the input" in row.reason for row in rows if row.trial is not None}
    assert marked == {0: False, 1: True, 2: False}


def test_qualities_of_other_images_are_not_compared():
    """A trial measured at another n, or in other features, is neither better nor worse than the input."""
    other = trial(0, 400, 30.0, name="fd[shapes,n=8]")
    assert not any("input" in row.reason for row in trial_rows(outcome_of(study(other))))


@pytest.mark.parametrize(
    ("teacher", "inputs", "says"),
    [
        (
            16.0,
            15.0,
            "the teacher is worse than the untouched input: fd[shapes,n=9] 16 against 15, whose intervals overlap",
        ),
        (30.0, 15.0, "the teacher is worse than the untouched input: fd[shapes,n=9] 30 against 15;"),
        (12.0, None, "the teacher is worse than trial 0: fd[shapes,n=9] 12 against 10, whose intervals overlap"),
        (30.0, None, "the teacher is worse than trial 0: fd[shapes,n=9] 30 against 10;"),
    ],
)
def test_a_teacher_that_is_worse_gets_a_note(teacher, inputs, says):
    """Under the table stands what is better, both numbers, and whether the intervals overlap."""
    assert says in "\n".join(remarks(outcome_of(study(*TRIALS, teacher=teacher, inputs=inputs))))


def test_a_good_teacher_gets_no_note():
    """Better than the input and all trials: no line about it."""
    assert not [line for line in remarks(outcome_of(study(*TRIALS))) if line.startswith("note")]


def test_the_note_names_what_to_look_at():
    """The note is about the configuration for given weights, and about the steps for a teacher trained here."""
    stored = study(*TRIALS, teacher=30.0)
    config = {**stored.attributes["ganprune.config"], "teacher": "g.pth"}
    given = replace(stored, attributes={**stored.attributes, "ganprune.config": config})
    assert "check that weights, data, direction and --value-range" in "\n".join(remarks(outcome_of(given)))
    trained = "\n".join(remarks(outcome_of(study(*TRIALS, teacher=30.0))))
    assert "--teacher-steps 20,000 may be too few" in trained


def test_notes_of_the_teachers_measuring_stay_with_the_study(tmp_path):
    """Notes on the teacher from before the search are under its tables and in the report, with the input."""
    made = study(*TRIALS, notes=["the teacher contradicts the value range -1,1"])
    page = report_html(made, tmp_path, pictures=False)
    assert "note: the teacher contradicts the value range -1,1" in page
    assert "worse than the input" in page
    assert ">input<" in page
