"""The manifold of a study: asked for by a method's row, computed once, never read in part."""

from dataclasses import replace

import pytest
import torch
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.artifacts.remote import SHARED
from ganprune.search.config import StudyConfig
from ganprune.search.preparations import manifold
from ganprune.search.preparations.catalog import PREPARATIONS
from ganprune.search.preparations.opened_study import OpenedStudy
from ganprune.search.preparations.prepare import gather, prepare
from ganprune.search.records.messages import TrialRequest
from ganprune.search.trial import trial
from ganprune.spaces.methods import settings_of

from ...tiny_study import SMALL, new_folder, opened

CONFIG = StudyConfig(name="manifolds", **SMALL | {"methods": ("mggc",), "prune_steps": 1})


@pytest.fixture
def prepared():
    """A study with its teacher, and its folder."""
    study, folder = opened(CONFIG), new_folder()
    prepare(study, folder)
    return study, folder


@pytest.fixture
def computed(monkeypatch):
    """The generators whose manifold was computed, in order."""
    names, original = [], manifold.learned_manifold

    def counted(teacher, samples, encode):
        names.append(samples.name)
        return original(teacher, samples, encode)

    monkeypatch.setattr(manifold, "learned_manifold", counted)
    return names


def in_another_process(study):
    """The study as another worker opens it."""
    return OpenedStudy(study.resolved, study.prepared)


def same(one, other):
    return all(torch.equal(getattr(one, part), getattr(other, part)) for part in manifold.FILE_KEYS)


def test_the_first_that_asks_computes_it_and_all_others_read_it(prepared, computed):
    """It is the same, bit for bit; the features of another encoder are another one."""
    study, folder = prepared
    first = study.load("manifold")("G", "trial")
    assert study.load("manifold")("G", "trial") is first
    assert same(in_another_process(study).load("manifold")("G", "trial"), first)
    assert computed == ["G"]
    assert not same(study.load("manifold")("G", "discriminator"), first)
    assert computed == ["G", "G"]
    assert len(list((folder / SHARED).glob("manifold-*.safetensors"))) == 2


@pytest.mark.parametrize("left", [0, 7, 0.5, 0.99])
def test_a_file_that_is_there_in_part_is_computed_again(prepared, computed, left):
    """However much of it a transfer left, it is never read; what takes its place is the whole one."""
    study, folder = prepared
    first = study.load("manifold")("G", "trial")
    (path,) = (folder / SHARED).glob("manifold-*.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(left * len(whole)) if left < 1 else left])
    assert same(in_another_process(study).load("manifold")("G", "trial"), first)
    assert computed == ["G", "G"]
    assert path.read_bytes() == whole


def test_what_trials_made_is_gathered(prepared):
    """Nothing is in the record before a trial asks, and its file with its hash after."""
    study, folder = prepared
    assert study.prepared.artifacts["manifold"].files == {}
    study.load("manifold")("G", "trial")
    (file,) = gather(study, folder).artifacts["manifold"].files
    assert (folder / file).is_file()


def test_a_trial_ends_the_same_whether_it_computes_or_reads_it(prepared, computed):
    """Both have the same weights and the same quality, and the second computes nothing."""
    study, _ = prepared
    target = 0.5 * study.resolved.dense["macs"]
    proposal = Proposal("mggc", settings_of("mggc", {}), target, "macs")
    request = TrialRequest(0, 1, proposal, 7, str(new_folder()), study.resolved, study.prepared)
    one, other = (trial.run(replace(request, workspace=str(new_folder())), lambda report: True) for _ in range(2))
    assert one.artifact.sha256 == other.artifact.sha256
    assert one.quality == other.quality
    assert computed == ["G"]


def test_it_is_wanted_by_whatever_method_names_it_in_its_row(monkeypatch):
    """`mggc` does by its row; another method does as soon as its row says so."""
    wanted = PREPARATIONS.find("manifold").open().wanted
    assert wanted(opened(CONFIG))
    plain = opened(StudyConfig(name="plain", **SMALL | {"methods": ("uniform",)}))
    assert not wanted(plain)
    monkeypatch.setitem(METHODS.own, "uniform", replace(METHODS.find("uniform"), preparations=("manifold",)))
    assert wanted(plain)
