"""Bundles on the Hugging Face Hub: the folder that is uploaded, and bundles that are fetched, without a network."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.files.errors import UserError, WorkFailed
from ganprune.studies.bundles.bundle import read_architecture, read_card, untrusted_file
from ganprune.studies.bundles.card_text import card_text
from ganprune.studies.integrations.hub.repository import HubReference, local_bundle, write_repository

from ...command_line import call, refused

hub = pytest.importorskip("huggingface_hub", reason="pip install 'ganprune[hub]'")
BUNDLE = Path(__file__).parents[2] / "fixtures" / "0.1.0" / "bundle-float"


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No token, no cache, no network."""
    monkeypatch.chdir(tmp_path)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hub, "get_token", lambda: None)


def card_of(license: str = "apache-2.0") -> "hub.ModelCard":
    """The card of a bundle, as the Hub's own parser reads it."""
    card = replace(
        read_card(BUNDLE),
        license=license,
        measurements=(
            Measurement("fd[shapes,n=8]", 12.5, "1", 11.0, 14.0, 8, "features=shapes; 16 px", better="lower"),
            Measurement.absent("ssim", "1", "no pairs: none"),
        ),
    )
    return hub.ModelCard(card_text(card, read_architecture(BUNDLE).inputs))


def test_the_header_of_a_card_is_what_the_hub_reads():
    """License, tags, library, pipeline, and metrics with the name of their protocol; absent ones are left out."""
    data = card_of().data
    assert data.license == "apache-2.0"
    assert data.library_name == "ganprune"
    assert data.pipeline_tag == "image-to-image"
    assert {"gan", "pruning", "resnet", "onnx"} <= set(data.tags)
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value, result.metric_name) == ("fd", 12.5, "fd[shapes,n=8]")
    assert result.dataset_split == "test"
    assert result.metric_args["protocol"] == "features=shapes; 16 px"
    assert (result.metric_args["low_90"], result.metric_args["high_90"]) == (11.0, 14.0)


def test_a_license_that_the_hub_does_not_know_has_its_name():
    """The Hub's own form of any other license; without one the field is left out."""
    data = card_of('My "own": license').data
    assert (data.license, data["license_name"]) == ("other", 'My "own": license')
    assert card_of("").data.license is None


def test_a_dry_run_writes_what_would_be_uploaded(monkeypatch, capsys):
    """The bundle's files, whole, and its card as README.md with a header, also of a bundle of version 0.1.0."""
    assert call(monkeypatch, "push", BUNDLE, "somebody/small", "--dry-run", "up") == 0
    assert "uploads" in capsys.readouterr().out
    files = {path.name for path in Path("up").iterdir()}
    assert files == {path.name for path in BUNDLE.iterdir()} | {"README.md"}
    assert hub.ModelCard.load("up/README.md").data.library_name == "ganprune"
    with pytest.raises(UserError, match="exists"):
        write_repository(BUNDLE, "up")


def test_a_damaged_bundle_is_not_uploaded(monkeypatch, capsys, tmp_path):
    """Each file is compared with the manifest first."""
    shutil.copytree(BUNDLE, "b")
    Path("b/card.md").write_text("other")
    assert call(monkeypatch, "push", "b", "somebody/small", "--dry-run", "up") != 0
    assert "card.md" in capsys.readouterr().err
    assert not Path("up").exists()


def test_push_without_a_token_or_with_another_name_is_one_line(monkeypatch, capsys):
    """Nothing is uploaded."""
    assert "needs a token of the Hugging Face Hub: got none" in refused(
        monkeypatch, capsys, "push", BUNDLE, "somebody/small"
    )
    for name in ("small", "a/b/c", "some body/small", "../x", "a/b@"):
        assert "expected USER/NAME" in refused(monkeypatch, capsys, "push", BUNDLE, name)


def test_push_without_a_network_is_one_line(monkeypatch, capsys):
    """The Hub's client raises many kinds of errors."""
    from huggingface_hub.errors import HTTPError

    def gone(*given, **options):
        raise HTTPError("name\nresolution failed")

    monkeypatch.setattr(hub, "get_token", lambda: "hf_x")
    monkeypatch.setattr(hub.HfApi, "create_repo", gone)
    assert call(monkeypatch, "push", BUNDLE, "somebody/small") == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "cannot push to somebody/small: the Hub cannot be reached" in line


def test_a_bundle_of_the_hub_is_fetched_by_its_manifest_alone(monkeypatch, tmp_path):
    """Other files of the repository, such as pickles, are never asked for."""
    snapshot = tmp_path / "snapshots" / "abc"
    shutil.copytree(BUNDLE, snapshot)
    (snapshot / "pytorch_model.bin").write_bytes(b"pickle")
    asked = []

    def download(name, file, revision=None):
        asked.append((name, file, revision))
        return str(snapshot / file)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    assert local_bundle("hf:somebody/small@v1") == snapshot
    assert {name for name, _, _ in asked} == {"somebody/small"}
    assert {revision for _, _, revision in asked} == {"v1"}
    assert {file for _, file, _ in asked} == {path.name for path in BUNDLE.iterdir()}
    (snapshot / "manifest.json").write_text('{"format": 1, "files": {"../../x": "0"}}')
    with pytest.raises(UserError, match="outside of its folder"):
        local_bundle("hf:somebody/small@v1")


def test_a_bundle_that_cannot_be_fetched_is_one_line(monkeypatch):
    """Without a network and without a cache."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    def gone(*given, **options):
        raise LocalEntryNotFoundError("many\nwords")

    monkeypatch.setattr(hub, "hf_hub_download", gone)
    with pytest.raises(WorkFailed, match=r"cannot fetch manifest.json of hf:somebody/small: the Hub cannot be reached"):
        local_bundle("hf:somebody/small")


def test_a_bundle_of_the_hub_runs_no_code_of_its_own_unless_it_is_allowed(monkeypatch, tmp_path):
    """The default of --code depends on where the bundle comes from."""
    from ganprune.studies.cli.results import _no_code

    assert [_no_code(Path("hf:a/b"), code) for code in (None, True, False)] == [True, False, True]
    assert [_no_code(Path("folder"), code) for code in (None, True, False)] == [False, False, True]


def test_files_that_are_unpickled_are_not_opened_without_trust(monkeypatch, capsys):
    """PyTorch's own archives are; ONNX files are not."""
    assert untrusted_file("onnx") == ""
    assert "unpickles" in untrusted_file("pt2")
    message = refused(monkeypatch, capsys, "run", BUNDLE, "--no-code", "--format", "pt2", "--input", BUNDLE)
    assert "format pt2" in message


def test_references_are_of_one_form():
    """With and without the scheme, a branch with a slash included."""
    assert HubReference.parse("hf:a/b@refs/pr/1") == HubReference("a/b", "refs/pr/1")
    assert HubReference.parse("a/b") == HubReference("a/b")
