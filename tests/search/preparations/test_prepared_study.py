"""Parts that are prepared of a study: each is loaded by name, once per process, from the files of its record."""

from dataclasses import replace
from pathlib import Path

import pytest
from ganprune.gan_models.files.errors import UserError, WorkFailed
from ganprune.gan_models.pruning import catalog
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.catalog import PREPARATIONS
from ganprune.search.preparations.opened_study import OpenedStudy, open_study
from ganprune.search.preparations.preparation import PreparationRow, needed_by_methods
from ganprune.search.preparations.prepare import make_teacher, prepare
from ganprune.search.records.messages import TrialRequest
from ganprune.search.records.prepared_artifact import PreparedArtifact
from ganprune.search.trial import pruning

from ...tiny_study import SMALL, new_folder, opened


class Numbers:
    """A preparation of another package, which a method's row asks for."""

    loads = 0

    def wanted(self, study):
        return needed_by_methods(study.config, "numbers")

    def fingerprint(self, study):
        return "1"

    def make(self, study, folder, progress=None):
        (folder / "teacher" / "numbers.txt").write_text(" ".join(study.load("teacher").generators))
        return PreparedArtifact.of("numbers", "1", folder, [folder / "teacher" / "numbers.txt"])

    def load(self, study, folder, artifact):
        self.loads += 1
        return (folder / "teacher" / "numbers.txt").read_text()


NUMBERS = Numbers()


@pytest.fixture
def needing(monkeypatch):
    """Let the row of `uniform` name preparations."""

    def name(*preparations):
        monkeypatch.setitem(METHODS.own, "uniform", replace(METHODS.find("uniform"), preparations=preparations))
        monkeypatch.setitem(PREPARATIONS.own, "numbers", PreparationRow(f"{__name__}:NUMBERS"))
        monkeypatch.setattr(NUMBERS, "loads", 0)

    return name


def study(**options):
    return opened(StudyConfig(name="numbers", **SMALL | {"methods": ("uniform",)} | options))


def test_a_methods_job_loads_what_its_row_asks_for_once_per_process(needing, monkeypatch):
    """Every trial of a process is given the same; its making saw what was made before it."""
    needing("numbers")
    parts, given = study(), []
    prepare(parts, new_folder())

    class Reads:
        def prune(self, job):
            given.append(job.prepared("numbers"))
            raise WorkFailed("that is all")

    monkeypatch.setattr(catalog, "make_method", lambda name: Reads())
    for _ in range(2):
        with pytest.raises(WorkFailed, match="that is all"):
            pruning.prune(open_study(parts.resolved, parts.prepared), request(parts))
    assert given == ["G", "G"]
    assert NUMBERS.loads == 1
    assert OpenedStudy(parts.resolved, parts.prepared).load("numbers") == "G"
    assert NUMBERS.loads == 2


def request(parts):
    target = 0.5 * parts.resolved.dense["macs"]
    proposal = Proposal("uniform", {}, target, "macs", parts.proposals().widths.uniform(target))
    return TrialRequest(0, 1, proposal, 7, str(new_folder()), parts.resolved, parts.prepared)


def test_what_is_not_made_is_named(needing):
    """One that no row asks for is no file of the study; the error says what there is and how to ask."""
    needing()
    parts = study()
    prepare(parts, new_folder())
    with pytest.raises(WorkFailed, match=r"'numbers' does not exist.*teacher, reference_features.*needed_by_methods"):
        parts.load("numbers")


def test_a_row_that_asks_for_what_there_is_not_is_refused_before_anything_is_made(needing):
    """The name and the known ones are said; no teacher is trained."""
    needing("nubmers")
    folder = new_folder()
    with pytest.raises(UserError, match=r"nubmers.*manifold"):
        prepare(study(), folder)
    assert not any(folder.iterdir())


def test_another_file_is_loaded_after_it_is_made_anew_and_refused_before(needing):
    """Parts that a process holds are of the artifact that it was loaded for."""
    needing("numbers")
    parts, folder = study(), new_folder()
    prepare(parts, folder)
    first = parts.load("numbers")
    assert parts.load("numbers") is first
    parts.take(folder, replace(parts.prepared.artifacts["numbers"], fingerprint="2"))
    parts.load("numbers")
    assert NUMBERS.loads == 2
    (folder / "teacher" / "generator-G.safetensors").write_bytes(b"another")
    with pytest.raises(WorkFailed, match=r"generator-G.safetensors is missing or not the file.*put it back"):
        OpenedStudy(parts.resolved, parts.prepared).teacher  # noqa: B018


def test_a_measured_teacher_is_the_one_that_trials_are_given():
    """Measuring it loads the networks that trials of this process prune."""
    parts, folder = study(), new_folder()
    make_teacher(parts, folder)
    assert Path(parts.prepared.folder) == folder
    assert open_study(parts.resolved, parts.prepared, parts).generators["G"] is parts.generators["G"]
