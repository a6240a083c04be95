"""Budgets in ms from end to end: profile, search, finalists, records; and what is said where something is missing."""

import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from ganprune.evaluators.cost.device import this_device
from ganprune.evaluators.cost.latency import MachineBusy
from ganprune.evaluators.cost.machine_load import Limits
from ganprune.evaluators.cost.measurers.measurer import Measurer
from ganprune.search.latency.profile import LatencyProfile
from ganprune.search.setup.opened_profile import NoProfile
from ganprune.studies.api import Search, Study
from ganprune.studies.database.latency_profiles import ProfileStore, find_profile
from ganprune.studies.report.html import report_html
from ganprune.studies.results.outcome import outcome_of
from ganprune.studies.results.tables import WORSE_THAN_INPUT

from ..command_line import QUICK, call, refused
from ..fakes.analytic_device import AnalyticDevice, config, profiled

NETWORK = ["--model", "resnet", "--model-args", "ngf=8,n_blocks=1", "--image-size", 16]
PROFILE = [*NETWORK, "--points", 2, "--networks", 6, "--threads", 1]
SEARCH = [*NETWORK, "--data", "builtin:shapes", *QUICK]


SMALL_OPTIONS = {
    "model_args": {"ngf": 8, "n_blocks": 1},
    "image_size": 16,
    "metric": "shapes",
    "n_train": 8,
    "n_test": 8,
}


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def counting(monkeypatch) -> AnalyticDevice:
    """Every measurer of this process counts multiplications in the place of timing."""
    device = AnalyticDevice(overhead_ms=1.0)
    monkeypatch.setattr(Measurer, "__call__", lambda self, model, inputs: device(model, inputs))
    return device


@pytest.fixture(scope="module")
def profile() -> LatencyProfile:
    return replace(profiled(points=2), device=this_device("eager", 1))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_profiles_come_back_as_they_were_kept(place, profile, database, request):
    """Our tables stand beside Optuna's: profiles and layers are read as written, a newer one takes the older's place."""
    sqlite = f"sqlite:///{place}/studies.db"
    url = sqlite if database == "sqlite" else request.getfixturevalue("postgres").new_database()
    store = ProfileStore(url)
    store.prepare()
    assert store.profiles() == ()
    assert store.layers(profile.device) == {}
    for layer in profile.layers:
        store.put_layer(profile.device, layer)
    store.put(profile)
    assert store.profiles() == (profile,)
    assert store.layers(profile.device) == {layer.key: layer for layer in profile.layers}
    assert store.layers(replace(profile.device, threads=2)) == {}
    newer = replace(profile, multiple=8)
    store.put(newer)
    assert store.profiles() == (newer,)
    assert optuna.study.get_all_study_names(storage=url) == []


def test_the_profile_of_this_machine_is_found_or_named(place, profile):
    """None, one, several, or a named one: what there is decides, and the message says what to do."""
    url, wanted = f"sqlite:///{place}/studies.db", config()
    with pytest.raises(NoProfile, match=r"needs a latency profile of this device .* run `ganprune profile-device"):
        find_profile(url, "", wanted)
    store = ProfileStore(url)
    store.put(replace(profile, device=replace(profile.device, cpu="another")))
    with pytest.raises(NoProfile, match="1 of other machines"):
        find_profile(url, "", wanted)
    store.put(profile)
    assert find_profile(url, "", wanted) == profile
    with pytest.raises(NoProfile, match="needs a latency profile of this device"):
        find_profile(url, "", config(model_args={"ngf": 8, "n_blocks": 2}))
    other = replace(profile, device=replace(profile.device, threads=2))
    store.put(other)
    with pytest.raises(NoProfile, match=f"several latency profiles of this machine fit.*{other.device.id}"):
        find_profile(url, "", wanted)
    assert find_profile(url, other.device.id, wanted) == other
    with pytest.raises(NoProfile, match=r"no profile 'ffffffff', there are "):
        find_profile(url, "ffffffff", wanted)


@pytest.mark.long
def test_a_latency_search_from_profile_to_bundle(place, counting, monkeypatch, capsys):
    """profile-device, a search under ms and MACs at once, its finalists measured, shown and exported; then a resume."""
    assert call(monkeypatch, "profile-device", *PROFILE, "--out", "p.json", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["whole"]["accuracy"]["error"] < 1e-6
    assert made["quiet"]
    first = counting.calls
    assert call(monkeypatch, "profile-device", *PROFILE) == 0
    out = capsys.readouterr().out
    assert counting.calls == first + 7  # six whole networks and the dense one: all layers were known
    assert "median error 0.0 %" in out
    assert f"profile {made['id']} is in the database" in out
    assert f"--latency-profile {made['id']}" in out

    limits = ["--budget", "20ms", "--budget", "60%", "--trials", 4]
    assert call(monkeypatch, "search", *SEARCH, *limits) == 0
    text = capsys.readouterr()
    assert "finalists are measured after the search" in text.err
    study = Study.open("search")
    outcome = outcome_of(study.record)
    dense = outcome.dense["latency_ms"]
    for trial in study.trials:
        predicted = next(m for m in trial.outcome.measurements if m.name.startswith("latency_ms[predicted,"))
        macs = next(m.value for m in trial.outcome.measurements if m.name == "macs")
        assert trial.cost == predicted.value <= 20.0 < dense
        assert predicted.value == pytest.approx(1.0 + 2 * macs / 1e5, rel=1e-6)
        assert trial.constraints["60%"] == pytest.approx(macs / (0.6 * outcome.dense["macs"]) - 1)
        assert "profile" in predicted.protocol
    assert study.front()
    for trial in study.front():
        measured = outcome.finalist(trial.number, "latency_ms")
        assert measured.name == f"latency_ms[measured,device={made['id']},threads=1,batch=1]"
        assert measured.value == pytest.approx(trial.cost, rel=1e-6)
    assert call(monkeypatch, "pareto", "search", "--json") == 0
    rows = [row for row in json.loads(capsys.readouterr().out)["front"] if row["trial"] is not None]
    assert all(row["measured_ms"] == pytest.approx(row["predicted_ms"], rel=1e-6) for row in rows)

    assert call(monkeypatch, "export", "search", "--trial", study.front()[0].number, "--out", "b") == 0
    assert "latency_ms[measured,device=" in (place / "b" / "card.md").read_text()
    before = set(study.record.attributes["ganprune.finalists"])
    assert call(monkeypatch, "resume", "search", "--trials", 5, "--executor", "local") == 0
    assert before <= set(Study.open("search").record.attributes["ganprune.finalists"])


@pytest.mark.parametrize("budgets", [["--budget", "8ms"], ["--budget", "90%", "--budget", "8ms"]], ids=len)
@pytest.mark.long
def test_a_finalist_that_is_measured_over_a_budget_says_so(place, counting, budgets, monkeypatch, capsys):
    """A device that is 3 % slower after the search: what is over 8 ms says by how much in table, page and card."""
    assert call(monkeypatch, "profile-device", *PROFILE) == 0
    counting.whole, counting.overhead_ms = 1.03, 1.03
    assert call(monkeypatch, "search", *SEARCH, "--methods", "uniform", *budgets, "--trials", 1) == 0
    study = Study.open("search")
    ms = outcome_of(study.record).finalist(0, "latency_ms").value
    assert 8.0 < ms <= 8.0 * 1.03
    remark = f"measured {ms:.4g} ms, over 8ms by {100 * (ms / 8 - 1):.3g} %"
    printed = "".join(capsys.readouterr().out.split())  # a narrow screen folds the column
    assert f"COMPLETE: {remark}".replace(" ", "") in printed
    page = report_html(study.record, study.artifacts, pictures=False)
    assert f"COMPLETE: {remark}" in page
    assert f"; {remark}" in page  # beside "best under the budget"
    assert call(monkeypatch, "resume", "search", "--trials", 2, "--executor", "local") == 0
    capsys.readouterr()
    assert call(monkeypatch, "show", "search", "--json") == 0
    rows = {row["trial"]: row for row in json.loads(capsys.readouterr().out)["trials"]}
    assert rows[1]["predicted_ms"] < 8.0 / 1.03
    said = [[part for part in rows[i]["reason"].split("; ") if part != WORSE_THAN_INPUT] for i in (0, 1)]
    assert [[part for part in parts if part] for parts in said] == [[remark], []]
    study = Study.open("search")
    says = f"the budget was met as predicted, not as measured: {remark}"
    assert [says in study.export(number, f"b{number}").notes for number in (0, 1)] == [True, False]
    assert f"* {says}\n" in (place / "b0" / "card.md").read_text()


@pytest.mark.long
def test_every_plan_meets_the_later_budgets_as_well(place, counting, profile, monkeypatch, capsys):
    """`--budget 90% --budget 8ms`: MACs are the objective, what 8 ms leave of them is told and is the highest target,
    and no trial of any method is over either."""
    call(monkeypatch, "profile-device", *PROFILE)
    arguments = [*SEARCH, "--methods", "uniform,widths,magnitude,coronet", "--prune-steps", 2]
    capsys.readouterr()
    assert call(monkeypatch, "search", *arguments, "--budget", "90%", "--budget", "8ms", "--trials", 8) == 0
    told = re.search(
        r"plans within 8ms cost at most ([\d.]+) kMACs of the 90%", " ".join(capsys.readouterr().err.split())
    )
    highest = float(told[1]) * 1e3
    assert highest == pytest.approx(7e5 / 2, rel=0.03)  # on this device a plan of N MACs takes 1 + 2 N / 1e5 ms
    study = Study.open("search")
    assert {trial.new.method for trial in study.trials} == {"uniform", "widths", "magnitude", "coronet"}
    for trial in study.trials:
        ms = next(m.value for m in trial.outcome.measurements if m.name.startswith("latency_ms["))
        assert trial.constraints["8ms"] == pytest.approx(ms / 8 - 1)
        assert trial.constraints["8ms"] <= 0
        assert trial.cost <= 1.001 * highest
    assert max(trial.constraints["8ms"] for trial in study.trials) > -0.03


@pytest.mark.long
def test_methods_that_learn_widths_meet_a_later_budget_in_parameters(place, monkeypatch, capsys):
    """Under `--budget 60% --budget 5kparams` each trial is at or under both, though MACs alone would allow for more."""
    arguments = [*SEARCH, "--methods", "magnitude,coronet,slimming", "--prune-steps", 2]
    assert call(monkeypatch, "search", *arguments, "--budget", "60%", "--budget", "5kparams", "--trials", 9) == 0
    study = Study.open("search")
    assert {trial.new.method for trial in study.trials} == {"magnitude", "coronet", "slimming"}
    assert not [trial.stopped for trial in study.trials if trial.state == "FAIL"]
    whole = [
        trial for trial in study.trials if trial.state == "COMPLETE"
    ]  # others collapsed: so few steps train nothing
    assert -0.03 < max(trial.constraints["5kparams"] for trial in whole) <= 0
    assert any(trial.cost < 0.97 * trial.new.target for trial in whole)


def _twice_as_fast_on_integers(self, model, inputs):
    return AnalyticDevice(whole=0.5 if self.dtype == "int8" else 1.0)(model, inputs)


def test_bits_are_chosen_under_a_budget_in_ms(place, monkeypatch, capsys):
    """On a device that is twice as fast on integers trials of 32 and of 8 bits are priced, built and measured as such."""

    monkeypatch.setattr(Measurer, "__call__", _twice_as_fast_on_integers)
    assert call(monkeypatch, "profile-device", *PROFILE, "--runtime", "onnxruntime") == 0
    assert "predictor in 8 bits: " in capsys.readouterr().out
    assert call(monkeypatch, "search", *SEARCH, "--methods", "uniform", "--budget", "8ms", "--trials", 4) == 0
    study = Study.open("search")
    for trial in study.trials:
        found = {m.name.partition("[")[0]: m for m in trial.outcome.measurements}
        bits = trial.new.proposal.bits
        ms = 2 * found["macs"].value / 1e5 * (0.5 if bits == 8 else 1.0)
        assert trial.cost == pytest.approx(ms, rel=1e-6)
        assert trial.cost <= 8.0
        assert ("in 8 bits" in found["latency_ms"].protocol) == (bits == 8)
    assert {trial.new.proposal.bits for trial in study.trials} == {8, 32}
    outcome = outcome_of(study.record)
    for trial in study.front():
        assert outcome.finalist(trial.number, "latency_ms").value == pytest.approx(trial.cost, rel=1e-6)


def test_the_search_that_is_printed_for_a_remote_device_works_as_printed(place, counting, monkeypatch, capsys):
    """Its profile is named in it, and the command too: the finalists are measured by that, under the device's name."""
    remote = ["--device-name", "my phone", "--device-command", "sh -c 'bench \"$0\"' {onnx}", "--dtype", "float32"]
    assert call(monkeypatch, "profile-device", *PROFILE, *remote) == 0
    command = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert command[:2] == ["ganprune", "search"]
    assert call(monkeypatch, *command[1:], *QUICK, "--methods", "uniform", "--trials", 2) == 0
    outcome = outcome_of(Study.open("search").record)
    assert outcome.front
    for trial in outcome.front:
        measured = outcome.finalist(trial.number, "latency_ms")
        assert measured.reason is None
        assert "my phone, onnx files by its command" in measured.protocol
    wanted = config(latency_profile="")
    assert find_profile("sqlite:///ganprune.db", "my phone", wanted).device.cpu == "my phone"


def test_finalists_are_measured_again_and_both_numbers_stay(place, counting, monkeypatch, capsys):
    """A busy machine gives none; allowed, the number is marked; `measure` gives another, and earlier ones are shown."""
    assert call(monkeypatch, "profile-device", *PROFILE) == 0
    quiet = Measurer.__call__

    def busy(self, model, inputs):
        if self.effort.limits == Limits():
            raise MachineBusy("the machine was busy: others, in each of 5 attempts")
        return replace(counting(model, inputs), busy="other processes used 1.00 of 2 CPUs")

    monkeypatch.setattr(Measurer, "__call__", busy)
    search = [*SEARCH, "--methods", "uniform", "--budget", "8ms", "--trials", 1]
    assert call(monkeypatch, "search", *search, "--allow-busy") == 0
    assert "measuredonabusymachine" in "".join(capsys.readouterr().out.split())
    outcome = outcome_of(Study.open("search").record)
    first = outcome.finalist(0, "latency_ms")
    assert first.note == "measured on a busy machine: other processes used 1.00 of 2 CPUs"
    assert call(monkeypatch, "measure", "search") == 0
    assert "not measured: the machine was busy" in capsys.readouterr().out
    assert outcome_of(Study.open("search").record).finalist(0, "latency_ms") == first
    monkeypatch.setattr(Measurer, "__call__", quiet)
    counting.whole = 0.5
    assert call(monkeypatch, "measure", "search", "--trials", "0") == 0
    assert f", before {first.value:.4g} ms (-" in capsys.readouterr().out
    outcome = outcome_of(Study.open("search").record)
    assert outcome.finalist(0, "latency_ms").value < first.value
    assert outcome.finalist(0, "latency_ms").note == ""
    assert [measured[0].value for _, measured in outcome.finalists_before(0)][1:] == [first.value]
    assert call(monkeypatch, "show", "search:0") == 0
    shown = capsys.readouterr().out
    assert shown.count("measured earlier, until ") == 2
    assert "measured on a busy machine: other processes" in shown
    line = refused(monkeypatch, capsys, "measure", "search", "--trials", "7")
    assert "there is nothing to measure: got trial 7, which has no generator; expected one of 0" in line


def test_the_multiple_of_channels_comes_from_the_profile(place, profile, monkeypatch, capsys):
    """`--channel-multiple auto` takes the profile's, says what was measured, and is refused without a profile."""
    liked = replace(profile, multiple=4, multiples={8: 1.2, 4: 1.004})
    ProfileStore("sqlite:///ganprune.db").put(liked)
    search = [*SEARCH, "--methods", "uniform", "--trials", 2, "--channel-multiple", "auto"]
    assert call(monkeypatch, "search", *search, "--budget", "8ms", "--dry-run") == 0
    said = " ".join(capsys.readouterr()).replace("\n", " ")
    assert "--channel-multiple auto: widths are multiples of 4 (time when a width is rounded up" in " ".join(
        said.split()
    )
    wanted = Search("resnet", "builtin:shapes", budget="8ms", options={**SMALL_OPTIONS, "channel_multiple": 0})
    assert wanted.resolve().config.channel_multiple == 4
    line = refused(monkeypatch, capsys, "search", *search, "--budget", "50%")
    assert "--channel-multiple auto needs a profile of the device: got a budget of 50%; expected one in ms" in line
    line = refused(monkeypatch, capsys, "search", *SEARCH, "--budget", "50%", "--channel-multiple", "atuo")
    assert "--channel-multiple is wrong: got 'atuo'; expected auto, or 1 or more" in line


@pytest.mark.long
def test_a_later_budget_in_ms_may_be_one_that_only_8_bits_meet(place, monkeypatch, capsys):
    """`--budget 12kB --budget 1.2ms`: every plan of 32 bits takes longer, so all trials have 8, and all meet both."""
    monkeypatch.setattr(Measurer, "__call__", _twice_as_fast_on_integers)
    assert call(monkeypatch, "profile-device", *PROFILE, "--runtime", "onnxruntime") == 0
    budgets = ["--budget", "12kB", "--budget", "1.2ms"]
    assert call(monkeypatch, "search", *SEARCH, "--methods", "uniform", *budgets, "--trials", 6) == 0
    study = Study.open("search")
    assert "no plan of 32 bits is within 12kB and 1.2ms: all trials have 8 bits" in capsys.readouterr().err
    for trial in study.trials:
        ms = next(m.value for m in trial.outcome.measurements if m.name.startswith("latency_ms["))
        assert trial.new.proposal.bits == 8
        assert trial.constraints["1.2ms"] == pytest.approx(ms / 1.2 - 1)
        assert trial.constraints["1.2ms"] <= 0
    assert study.front()


def test_what_is_missing_for_a_budget_in_ms_is_one_line(place, counting, monkeypatch, capsys):
    """Without a profile, and outside of what the device can do, the search is refused before anything is trained."""
    line = refused(monkeypatch, capsys, "search", *SEARCH, "--budget", "9ms")
    assert "needs a latency profile of this device" in line
    assert "run `ganprune profile-device --model" in line
    assert call(monkeypatch, "profile-device", *PROFILE, "--out", "p.json") == 0
    line = refused(monkeypatch, capsys, "search", *SEARCH, "--budget", "0.5ms")
    assert "budget 0.5ms = 0.5 ms cannot be met; expected one between 2.54 ms" in line
    assert "leaves nothing to prune" in refused(monkeypatch, capsys, "search", *SEARCH, "--budget", "1000ms")
    assert "ganprune-artifacts" not in {path.name for path in place.iterdir()}
    other = [*SEARCH, "--budget", "9ms", "--latency-profile", "p.json", "--image-size", 32]
    assert "of another network or resolution" in refused(monkeypatch, capsys, "search", *other)
    line = refused(monkeypatch, capsys, "profile-device", *PROFILE, "--runtime", "abacus")
    assert "expected one of eager, compile, onnxruntime" in line
    line = refused(monkeypatch, capsys, "profile-device", *PROFILE, "--device-command", "ssh phone bench {onnx}")
    assert "--device-command and --device-name go together" in line


def test_a_busy_machine_gives_no_numbers(place, counting, monkeypatch, capsys):
    """While something runs beside, a profile fails with exit code 1, and finalists say why they were not measured."""
    assert call(monkeypatch, "profile-device", *PROFILE) == 0

    def busy(self, model, inputs):
        raise MachineBusy("the machine was busy: other processes used 1.00 of 2 CPUs, in each of 5 attempts")

    monkeypatch.setattr(Measurer, "__call__", busy)
    assert call(monkeypatch, "profile-device", *PROFILE, "--again") == 1
    assert "error: the machine was busy: other processes used 1.00 of 2 CPUs" in capsys.readouterr().err
    assert call(monkeypatch, "search", *SEARCH, "--budget", "9ms", "--trials", 2) == 0
    assert "latency not measured: the machine was busy" in " ".join(capsys.readouterr().out.split())
    study = Study.open("search")
    measured = [outcome_of(study.record).finalist(trial.number, "latency_ms") for trial in study.front()]
    assert measured
    assert all(m.reason.startswith("the machine was busy") for m in measured)


OWN = """
from torch import nn


def generator(width=6):
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1), nn.Tanh())
"""
# Milliseconds by the size of the file: a device that knows nothing of this process.
BENCH = """
import json, os, sys
print(json.dumps({"median_ms": os.path.getsize(sys.argv[1]) / 1000, "p90_ms": 1e6, "n": 7}))
"""


@pytest.mark.long
def test_a_device_behind_a_command_is_profiled_and_searched_for(place, monkeypatch, capsys):
    """Layers, whole networks and finalists are measured by the command; the profile has the device's own name."""
    (place / "own.py").write_text(OWN)
    (place / "bench.py").write_text(BENCH)
    command = ["--device-command", f"{sys.executable} {place}/bench.py {{onnx}}"]
    network = ["--model", "own.py:generator", "--input-shape", "3,16,16"]
    few = ["--points", 2, "--networks", 6]
    assert call(monkeypatch, "profile-device", *network, *few, *command, "--device-name", "phone", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["device"]["cpu"], made["device"]["runtime"]) == ("phone", "command")
    dense = made["whole"]["dense_ms"]
    arguments = [*network, "--data", "builtin:shapes", *QUICK, "--budget", f"{0.99 * dense}ms", "--trials", 1]
    assert "needs a latency profile of this device" in refused(monkeypatch, capsys, "search", *arguments)
    named = ["--latency-profile", made["id"]]
    assert call(monkeypatch, "search", *arguments, *named) == 0
    study = Study.open("search")
    number = study.front()[0].number
    reason = outcome_of(study.record).finalist(number, "latency_ms").reason
    assert reason == "phone is a remote device: give --device-command to measure on it"
    assert call(monkeypatch, "resume", "search", "--executor", "local", *command) == 0
    measured = outcome_of(Study.open("search").record).finalist(number, "latency_ms")
    assert measured.n == 7
    assert "phone" in measured.protocol
