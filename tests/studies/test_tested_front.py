"""Trials are chosen by one split, and the front is measured on another one: once, recorded, on resume as well."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.data.dataset import in_order
from ganprune.gan_models.files.atomic_files import read_json, write_json
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.plain_values import to_json
from ganprune.gan_models.networks.specs import OutputSpec
from ganprune.gan_models.tasks.task_data import Splits
from ganprune.search.config import StudyConfig
from ganprune.search.execution.executor import InProcessExecutor
from ganprune.search.preparations import opened_study
from ganprune.search.preparations.eval_images import inputs_of
from ganprune.search.preparations.quality import StudyQuality
from ganprune.search.trial import tested
from ganprune.search.trial.saved_network import run_quantized, saved_network
from ganprune.search.trial.tested import SUFFIX, measured_on_test
from ganprune.studies.api import RunOptions, Search, Study
from ganprune.studies.bundles.bundle import read_card
from ganprune.studies.bundles.trial_weights import open_recorded
from ganprune.studies.database.store import Store
from ganprune.studies.report.html import report_html
from ganprune.studies.results.outcome import TESTED_KEY, outcome_of, quality_of
from ganprune.studies.results.plots import plot_front
from ganprune.studies.results.selection_gap import Gap, front_gaps, gap_line
from ganprune.studies.results.tables import columns, csv_text, front_rows, remarks, trial_rows
from ganprune.studies.tested_front import measure_on_test
from PIL import Image

from ..tiny_study import SMALL, opened

LOCAL = RunOptions("local")
OPTIONS = {name: to_json(value) for name, value in SMALL.items() if name not in ("model", "data", "budgets")}
OPTIONS |= {"methods": ("uniform", "magnitude"), "trials": 4, "rungs": (0.5,), "finetune_steps": 2, "reduction": 0}


def searched(folder, **more) -> Study:
    options = OPTIONS | {"select_on": "selection"} | more
    return Search("resnet", "builtin:shapes", "60%", "s", options, f"sqlite:///{folder}/s.db", run_options=LOCAL).run()


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return searched(tmp_path_factory.mktemp("selected"))


def splits_said(measured) -> set[str]:
    return {m.protocol.partition(";")[0] for m in measured if "-vs-" in m.protocol}


def test_trials_and_rungs_are_measured_on_the_selection_split_and_the_front_on_the_test(study):
    """Every number of a trial says selection, every one of the front once more says test; no other trial has any."""
    outcome = outcome_of(study.record)
    assert outcome.selects
    front = {trial.number for trial in outcome.front}
    for trial in study.trials:
        assert splits_said(trial.ended().measurements) == {"selection-vs-selection"}
        tested = outcome.tested(trial.number)
        assert splits_said(tested) == ({"test-vs-test"} if trial.number in front else set())
        assert len(tested) == sum("-vs-" in m.protocol for m in trial.ended().measurements) * (trial.number in front)
    for own, other in ((outcome.teacher, outcome.teacher_tested), (outcome.inputs, outcome.inputs_tested)):
        assert splits_said(own) == {"selection-vs-selection"}
        assert splits_said(other) == {"test-vs-test"}
        assert own[0].value != other[0].value


@pytest.mark.parametrize("bits", [(32,), (8,)])
def test_what_is_measured_again_is_the_trial_itself(bits, tmp_path):
    """From its files a trial has, on the selection split, the quality that it ended with; on the test what is stored."""
    study = searched(tmp_path, trials=2, bits=bits)
    outcome = outcome_of(study.record)
    opened = open_recorded(outcome, study.folder)
    assert outcome.front
    for trial in outcome.front:
        artifact = trial.ended().artifact
        network = saved_network(opened, study.folder.path, artifact)
        run_quantized(opened, study.folder.path, artifact, network)
        again = opened.measure(network, full=True)
        assert [m.value for m in again] == [m.value for m in trial.ended().measurements[: len(again)]]
        by_hand = measured_on_test(opened, study.folder.path, artifact)
        assert [m.to_json() for m in by_hand] == [m.to_json() for m in outcome.tested(trial.number)]
        assert isinstance(opened.test_quality, StudyQuality)
        assert opened.test_quality.data is opened.test_data


def test_latents_to_select_by_are_not_those_of_the_test():
    """A generator of latents is measured on other latents, each split's the same whenever it is measured."""
    changes = {"model": "sngan_32", "model_args": {"ngf": 8}, "image_size": 32, "task": "unconditional"}
    settings = {"discriminator": {"model": "sngan", "ndf": 8}}
    config = StudyConfig(name="u", **SMALL | changes | {"task_settings": settings, "select_on": "selection"})
    study = opened(config)

    def latents(split):
        return [study.task().inputs(batch, "G")[0] for batch in inputs_of(
            study.task(), study.splits.open(split), "G", split=split)]  # fmt: skip

    (test,), (select,) = latents("test"), latents("select")
    assert test.shape == select.shape
    assert not torch.equal(test, select)
    assert torch.equal(select, latents("select")[0])
    first = next(in_order(study.test_data, 32))
    assert torch.equal(test, study.task().inputs(first, "G")[0])


def test_an_interrupted_measurement_goes_on_where_it_was(tmp_path, monkeypatch):
    """Killed after the first trial of the front, a resume measures the others and no trial twice; then none."""
    asked, alone = [], InProcessExecutor.alone

    def counted(executor, function, given):
        if len(asked) == 1 and kill:
            raise KeyboardInterrupt
        asked.append(given["artifact"]["path"])
        return alone(executor, function, given)

    monkeypatch.setattr(InProcessExecutor, "alone", counted)
    kill = True
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path)
    study, kill = Study.open("s", f"sqlite:///{tmp_path}/s.db"), False
    first = study.record.attributes[TESTED_KEY]
    assert len(first) == 1
    study = study.resume(run_options=LOCAL)
    front = {str(trial.number) for trial in study.front()}
    assert len(front) > 1
    assert set(study.record.attributes[TESTED_KEY]) == front
    assert first.items() <= study.record.attributes[TESTED_KEY].items()
    assert sorted(asked) == sorted(f"{number}/generator.safetensors" for number in front)
    asked.clear()
    study.resume(run_options=LOCAL)
    assert asked == []


def test_a_budget_of_hours_ends_with_a_tested_front(tmp_path, study):
    """A search that runs out of time measures the front that it has, or names what it has not measured."""
    notes = []
    options = OPTIONS | {"select_on": "selection", "trials": 500, "hours": 3 / 3600}
    place = f"sqlite:///{tmp_path}/s.db"
    search = Search("resnet", "builtin:shapes", "60%", "s", options, place, run_options=LOCAL)
    study = search.run(on_event=lambda event: notes.append(str(getattr(event, "note", ""))))
    assert len(study.trials) < 500
    outcome = outcome_of(study.record)
    left = [trial.number for trial in outcome.front if not outcome.tested(trial.number)]
    told = [note for note in notes if note.startswith("not measured on the test split")]
    assert [f"trials {', '.join(map(str, left))} of the front" in note for note in told] == [True] * bool(left)


def test_no_measurement_begins_after_the_hours(tmp_path, monkeypatch):
    """The trials are returned, to be named, and the next resume measures them."""
    late = {"left_hours": lambda: 0.0}
    untested = []

    def over(*given):
        untested.extend(measure_on_test(*given[:5], **late))
        return tuple(untested)

    monkeypatch.setattr("ganprune.studies.api.measure_on_test", over)
    study = searched(tmp_path, trials=2)
    assert untested == [trial.number for trial in study.front()]
    assert not study.record.attributes.get(TESTED_KEY)
    monkeypatch.undo()
    assert len(study.resume(run_options=LOCAL).record.attributes[TESTED_KEY]) == len(untested)


def test_what_was_measured_before_a_kill_is_not_measured_again(tmp_path, monkeypatch):
    """Its file is beside the weights: the next run records it; a file of another request is not believed."""
    alone = InProcessExecutor.alone

    def killed(executor, function, given):
        alone(executor, function, given)
        raise KeyboardInterrupt

    monkeypatch.setattr(InProcessExecutor, "alone", killed)
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, trials=2)
    monkeypatch.undo()
    study = Study.open("s", f"sqlite:///{tmp_path}/s.db")
    assert not study.record.attributes.get(TESTED_KEY)
    number = study.front()[0].number
    path = study.folder.path / f"{number}/generator.safetensors{SUFFIX}"
    kept = read_json(path)
    measured = []
    monkeypatch.setattr(tested, "measured_on_test", lambda *given: measured.append(given) or measured_on_test(*given))
    study = study.resume(run_options=LOCAL)
    assert study.record.attributes[TESTED_KEY][str(number)] == kept["measurements"]
    assert len(measured) == len(study.front()) - 1
    write_json(path, {**kept, "request": "another"})
    with Store.open(study.storage, "s", study.artifacts) as store:
        store.set_attribute(TESTED_KEY, {})
    study.resume(run_options=LOCAL)
    assert len(measured) == len(study.front())


def test_an_export_records_what_it_measures_on_the_test(tmp_path, monkeypatch):
    """A trial off the front has the number afterwards; while another process runs the study the card alone has it."""
    monkeypatch.setattr("ganprune.studies.api.measure_on_test", lambda *all: ())
    study = searched(tmp_path, trials=2)
    one, two = (trial.number for trial in study.trials)
    study.export(one, tmp_path / "one", formats=())
    known = Study.open("s", study.storage).record.attributes[TESTED_KEY]
    assert [*known] == [str(one)]
    assert [Measurement.from_json(each) for each in known[str(one)]] == list(read_card(tmp_path / "one").tested)
    with Store.open(study.storage, "s", study.artifacts), pytest.warns(UserWarning, match="on its card alone: study"):
        study.export(two, tmp_path / "two", formats=())
    assert read_card(tmp_path / "two").tested
    assert [*Study.open("s", study.storage).record.attributes[TESTED_KEY]] == [str(one)]


def test_a_study_that_compares_on_the_test_measures_nothing_again(tmp_path):
    """With --select-on test every number says test, and nothing is recorded beside it."""
    study = searched(tmp_path, trials=2, select_on="test")
    outcome = outcome_of(study.record)
    assert not outcome.selects
    assert all(splits_said(trial.ended().measurements) == {"test-vs-test"} for trial in study.trials)
    assert TESTED_KEY not in study.record.attributes
    assert (outcome.teacher_tested, outcome.inputs_tested) == ((), ())
    assert gap_line(outcome) == ""


def test_weights_that_are_not_those_of_the_record_are_named_and_measured_when_put_back(tmp_path, monkeypatch):
    """A file that was changed gives a reason in the place of a number; put back, the next resume measures it."""
    monkeypatch.setattr("ganprune.studies.api.measure_on_test", lambda *all: ())
    study = searched(tmp_path, trials=2)
    monkeypatch.undo()
    number = study.front()[0].number
    weights = study.folder.path / f"{number}/generator.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content + b"x")
    (found, *others) = outcome_of(study.resume(run_options=LOCAL).record).tested(number)
    assert f"{number}/generator.safetensors is not the file in the record" in found.reason
    assert others == []
    weights.write_bytes(content)
    assert outcome_of(Study.resume(study, run_options=LOCAL).record).tested(number)[0].reason is None


def test_too_few_training_images_are_compared_on_the_test_by_name(tmp_path):
    """A folder that can spare none is resolved with the test split; the note names the count and the bound."""
    for split in ("train", "test"):
        (tmp_path / "pairs" / split).mkdir(parents=True)
        for i in range(4):
            pixels = np.random.default_rng(i).integers(0, 255, (16, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pairs" / split / f"{i}{split}.png")
    options = {k: v for k, v in OPTIONS.items() if k not in ("n_train", "n_test")} | {"select_on": "selection"}
    resolved = Search("resnet", str(tmp_path / "pairs"), "60%", "few", options, run_options=LOCAL).resolve()
    assert resolved.config.select_on == "test"
    assert dict(resolved.data.images) == {"train": 4, "test": 4}
    assert any(
        "compared on the test images" in note and "got 4; expected 100 or more" in note for note in resolved.notes
    )


def test_a_study_names_the_images_of_each_split(study):
    """The record has the number of training, selection and test images."""
    assert dict(outcome_of(study.record).resolved.data.images) == {"train": 8, "select": 8, "test": 8}


def test_a_resume_may_name_what_trials_are_compared_on_and_not_change_it(study):
    """The file of a search serves its resume; another split is refused by name."""
    with pytest.raises(UserError, match="select_on of study 's' cannot change: got 'test'; it has 'selection'"):
        study.resume(run_options=LOCAL, options={"select_on": "test"})
    assert study.resume(run_options=LOCAL, options={"select_on": "selection"}).trials == study.trials


def test_a_record_without_the_option_is_of_a_study_that_chose_by_the_test(study):
    """Such a study reads as one that compares on the test, with the fingerprint that it had."""
    before = StudyConfig.from_json({k: v for k, v in study.config.to_json().items() if k != "select_on"})
    assert before.scored_on == "test"
    output = OutputSpec(3, before.size)
    assert not before.data_spec(output).selects
    assert study.config.scored_on == "select"
    assert study.config.data_spec(output).selects
    assert replace(before, select_on="test").scored_on == "test"


def test_tables_files_plot_and_report_name_both_splits(study, tmp_path):
    """Screen, JSON, CSV and the page have the quality on each split, its gap, and what each is called."""
    outcome = outcome_of(study.record)
    rows = front_rows(outcome)
    assert {row.method for row in rows[:2]} == {"dense teacher", "input"}
    heads = [column.head for column in columns(rows, outcome)]
    assert heads[heads.index("test [90 %]") - 1] == "selection fd[shapes,n=8] [90 %] ↓"
    assert heads[heads.index("test [90 %]") + 1] == "gap (intervals)"
    for row, test in zip(rows, [outcome.teacher_tested, outcome.inputs_tested, *map(
        outcome.tested, [trial.number for trial in outcome.front])], strict=True):  # fmt: skip
        found = row.to_json()
        assert found["split"] == "selection"
        assert (found["test_quality"], found["test_low"], found["test_n"]) == (test[0].value, test[0].low, 8)
        assert found["gap"] == found["test_quality"] - found["quality"]
        cells = {column.head: column.cell(row) for column in columns(rows, outcome)}
        assert cells["test [90 %]"].startswith(f"{test[0].value:.4g}")
        assert cells["gap (intervals)"].startswith(f"{found['gap']:+.3g}")
    assert "test_quality" in csv_text(rows).splitlines()[0].split(",")
    off = next(row for row in trial_rows(outcome) if row.trial is not None and not row.front)
    assert (off.gap, off.to_json()["test_quality"]) == (None, None)
    page = report_html(study.record, study.artifacts, pictures=False)
    assert gap_line(outcome) in remarks(outcome)
    for said in (
        "selection fd[shapes,n=8]",
        "test-vs-test",
        "selection-vs-selection",
        "on the test split",
        "compared on",
    ):
        assert said in page
    assert plot_front(outcome) != plot_front(replace(outcome, study=replace(
        outcome.study, attributes={k: v for k, v in outcome.study.attributes.items() if k != TESTED_KEY})))  # fmt: skip


def test_a_study_that_chose_by_the_test_has_the_columns_that_it_had(tmp_path):
    """Nothing is called selection, and no column is added."""
    outcome = outcome_of(searched(tmp_path, trials=2, select_on="test").record)
    heads = [column.head for column in columns(front_rows(outcome), outcome)]
    assert "fd[shapes,n=8] [90 %] ↓" in heads
    assert not {"test [90 %]", "gap (intervals)"} & set(heads)
    assert {row.to_json()["split"] for row in front_rows(outcome)} == {"test"}


@pytest.mark.long
def test_a_bundle_has_both_qualities_by_name(study, tmp_path):
    """One of the front has what was recorded; any other trial is measured on the test when it is exported."""
    outcome = outcome_of(study.record)
    front = {trial.number for trial in outcome.front}
    for trial in outcome.scored:
        card = study.export(trial.number, tmp_path / str(trial.number))
        assert card.split == "selection"
        assert card.lineage["select_on"] == "selection"
        assert card.lineage["n_selection"] == 8
        assert splits_said(card.measurements) == {"selection-vs-selection"}
        assert splits_said(card.tested) == splits_said(card.teacher_tested) == {"test-vs-test"}
        if trial.number in front:
            assert card.tested == outcome.tested(trial.number)
        text = (tmp_path / str(trial.number) / "card.md").read_text()
        assert text.index("## Quality on the test split") < text.index("## Quality on the selection split")
        assert text.count(f"| {card.tested[0].name} (1) |") == 2
        assert read_card(tmp_path / str(trial.number)) == card
    assert {trial.number for trial in outcome.scored} - front


def test_a_bundle_whose_images_are_gone_says_why_it_was_not_tested(study, tmp_path, monkeypatch):
    """Without the data there is no number but a note with the reason; the export is made."""
    monkeypatch.setattr(Splits, "open", lambda splits, name: (_ for _ in ()).throw(UserError("the images are gone")))
    record = replace(study.record, attributes={k: v for k, v in study.record.attributes.items() if k != TESTED_KEY})
    opened_study._LATEST_STUDY.clear()
    card = replace(study, record=record).export(study.front()[0].number, tmp_path / "bundle")
    assert card.tested == ()
    assert any("not measured on the test split: the images are gone" in note for note in card.notes)


def test_the_gap_says_how_optimistic_the_selection_is(study):
    """Difference, share and intervals of each trial follow from its two measurements; the line has their mean."""
    outcome = outcome_of(study.record)
    gaps = front_gaps(outcome)
    assert len(gaps) == len(outcome.front)
    for gap, trial in zip(gaps, outcome.front, strict=True):
        selection, test = quality_of(trial), outcome.tested(trial.number)[0]
        assert gap == Gap(f"trial {trial.number}", selection, test)
        assert gap.difference == test.value - selection.value
        assert gap.share == pytest.approx(test.value / selection.value - 1)
    share = sum(gap.share for gap in gaps) / len(gaps)
    line = gap_line(outcome)
    assert f"{abs(100 * share):.1f} % {'worse' if share > 0 else 'better'} on average ({len(gaps)} trial" in line
    assert "dense teacher, which was not chosen by it" in line
