"""Artifacts behind an fsspec URL: commits last, nothing half there, an attempt goes on from what was copied back."""

import hashlib
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from ganprune.gan_models.files.atomic_files import write_json
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.artifacts.remote import SHARED, RemoteFolder, at_hand, cache_of, is_url
from ganprune.search.artifacts.study_folder import StudyFolder
from ganprune.search.engine.checkpoint_cleanup import clean
from ganprune.search.execution.worker import perform
from ganprune.search.records.ledger import NewTrial, TrialRecord
from ganprune.search.records.messages import TrialRequest
from ganprune.search.records.prepared_artifact import Prepared, PreparedArtifact


@pytest.fixture
def url(tmp_path, monkeypatch):
    """A folder behind a URL, with a cache of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "store").mkdir()
    return f"file://{tmp_path}/store"


def checkpoint(folder, number):
    """As a training writes it: tensors of a new name, then the commit that names them, then the old ones go."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"tensors-{number}.safetensors").write_bytes(b"t" * number)
    write_json(folder / "state.json", {"tensors": f"tensors-{number}.safetensors"})
    for old in folder.glob("tensors-*"):
        if old.name != f"tensors-{number}.safetensors":
            old.unlink()


def test_what_was_pushed_is_pulled_and_what_is_gone_goes(url, tmp_path):
    """A second machine has the newest checkpoint alone; files that are being written stay at home."""
    here, there, remote = tmp_path / "here", tmp_path / "there", RemoteFolder(f"{url}/s/0")
    checkpoint(here / "checkpoint", 1)
    remote.push(here)
    checkpoint(here / "checkpoint", 2)
    (here / ".half").write_text("x")
    remote.push(here)
    RemoteFolder(f"{url}/s/0").pull(there)
    assert sorted(p.name for p in there.rglob("*") if p.is_file()) == ["state.json", "tensors-2.safetensors"]
    RemoteFolder(f"{url}/s/0").pull(tmp_path / "without", without=("checkpoint",))
    assert not (tmp_path / "without").exists()


def test_a_push_that_dies_leaves_the_commit_before_whole(url, tmp_path, monkeypatch):
    """The commit is sent after everything it names and before anything old is removed."""
    here, remote = tmp_path / "here", RemoteFolder(f"{url}/s/0")
    checkpoint(here, 1)
    remote.push(here)
    checkpoint(here, 2)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(remote._system), "pipe_file", die)
        with pytest.raises(KeyboardInterrupt):
            remote.push(here)
    assert b"tensors-1" in RemoteFolder(f"{url}/s/0").read("state.json")
    assert RemoteFolder(f"{url}/s/0").read("tensors-1.safetensors") == b"t"


def test_a_checkpoint_that_changes_while_it_is_sent_is_sent_again(url, tmp_path, monkeypatch):
    """Never a commit without its tensors, whenever the training thread writes a newer one."""
    here, remote, left = tmp_path / "here", RemoteFolder(f"{url}/s/0"), [2, 3]
    checkpoint(here, 1)
    real = RemoteFolder._send

    def send(self, local, path):
        if left:
            checkpoint(here, left.pop(0))
        real(self, local, path)

    monkeypatch.setattr(RemoteFolder, "_send", send)
    remote.push(here)
    assert b"tensors-3" in remote.read("state.json")
    assert remote.read("tensors-3.safetensors") == b"ttt"


def request(url, attempt=1, study=None):
    return TrialRequest(0, attempt, Proposal("m", {}, 1.0, "macs", {"a": 3}), 0, f"{url}/s/0", study)


def test_an_attempt_goes_on_from_what_the_last_one_copied_back(url):
    """Each attempt has a new folder with the last one's files; its result is behind the URL when it is told."""
    with at_hand(request(url)) as here:
        checkpoint(Path(here.workspace) / "checkpoint", 5)
    with at_hand(request(url, 2)) as again:
        assert again.workspace != here.workspace
        assert (Path(again.workspace) / "checkpoint" / "tensors-5.safetensors").read_bytes() == b"ttttt"
    assert not Path(again.workspace).exists()
    result = perform("tests.fakes.fake_trials:run", request(url, 3), lambda report: True)
    assert result.state == "COMPLETE"
    folder = StudyFolder.at(url, "s")
    assert folder.result(0) == result
    assert folder.result(1) is None
    record = TrialRecord(0, "PRUNED", NewTrial(Proposal("m", {}, 1.0, "macs"), {}, {}, "tpe"), 1)
    assert clean(folder, [record]).trials == (0,)
    assert folder.behind("0").read("checkpoint/state.json") is None
    folder.remove()
    assert folder.result(0) is None


def test_what_trials_make_for_all_is_gathered_from_every_machine(url, tmp_path, monkeypatch):
    """A worker's shared file is behind the URL when its trial ended, and reaches the driver and later workers."""

    def machine(name):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
        return cache_of(url) / "s" / SHARED

    asked = replace(request(url), prepared=Prepared("/drivers/folder"))
    RemoteFolder(f"{url}/s/teacher").write("teacher.json", b"{}")
    shared = machine("first")
    with at_hand(asked) as here:
        assert Path(here.prepared.folder) == cache_of(url) / "s"
        shared.mkdir(parents=True)
        (shared / "one.safetensors").write_bytes(b"1")
        (shared / ".half").write_bytes(b"")
    shared = machine("second")
    with at_hand(asked):
        assert (shared / "one.safetensors").read_bytes() == b"1"
        (shared / "one.safetensors").unlink()
        (shared / "two.safetensors").write_bytes(b"2")
    machine("driver")
    folder = StudyFolder.at(url, "s")
    folder.pull(SHARED)
    assert {path.name: path.read_bytes() for path in (folder.path / SHARED).iterdir()} == {
        "one.safetensors": b"1",
        "two.safetensors": b"2",
    }


def test_another_file_of_the_same_size_on_a_worker_is_replaced(url):
    """User code that an earlier study of the name left is not run: its sha256 is not the record's."""
    source, name = cache_of(url) / "s" / "source", "mine-1a2b3c4d/layers.py"
    for place, content in ((source, b"N = 1"), (Path(url.removeprefix("file://")) / "s" / "source", b"N = 2")):
        (place / name).parent.mkdir(parents=True)
        (place / name).write_bytes(content)
    digest = hashlib.sha256(b"N = 2").hexdigest()
    artifact = PreparedArtifact("own_code", "", {f"source/{name}": digest})
    with at_hand(replace(request(url), prepared=Prepared("/d", {"own_code": artifact}))):
        assert (source / name).read_bytes() == b"N = 2"


def test_a_shared_file_whose_trial_died_is_sent_by_the_next_trial(url, tmp_path):
    """It lies on the worker's machine; a failed trial sends it as well."""
    shared = cache_of(url) / "s" / SHARED
    shared.mkdir(parents=True)
    (shared / "one.safetensors").write_bytes(b"1")
    with pytest.raises(RuntimeError, match="failed"), at_hand(replace(request(url), prepared=Prepared("/d"))):
        raise RuntimeError("failed")
    assert RemoteFolder(f"{url}/s/{SHARED}").read("one.safetensors") == b"1"


def test_urls_and_folders_are_told_apart(tmp_path):
    """A URL has a scheme; a kind of URL that nothing here can read is one line, before anything is made."""
    assert is_url("s3://bucket/x")
    assert not is_url(tmp_path)
    assert cache_of("s3://bucket/x") == cache_of("s3://bucket/x/") != cache_of("s3://bucket/y")
    with pytest.raises(RuntimeError, match="artifacts at 'nosuch://x/s'"):
        StudyFolder.at("nosuch://x", "s")
    assert "file" in fsspec.available_protocols()
