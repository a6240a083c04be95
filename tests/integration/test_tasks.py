"""Each task through the command line: data, teacher, search, resume, export."""

import json
from pathlib import Path

import optuna
import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import load_weights, save_weights
from ganprune.gan_models.networks.catalog import build
from PIL import Image

from ..command_line import QUICK, call, refused

STRIPES = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--image-size", 16, "--data", "builtin:stripes"]


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trials(study: str = "search") -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=study, storage="sqlite:///ganprune.db").trials


def teacher_of(place: Path, study: str = "search") -> dict:
    return json.loads((place / "ganprune-artifacts" / study / "teacher" / "teacher.json").read_text())


def upstream(path: Path, seed: int) -> Path:
    """A checkpoint as upstream CycleGAN writes it: a state dict in a .pth, `module.` before every name."""
    torch.manual_seed(seed)
    state = build("resnet", {"ngf": 4, "n_blocks": 1}).state_dict()
    torch.save({f"module.{name}": value for name, value in state.items()}, path)
    return path


@pytest.mark.parametrize(("direction", "other"), [("AtoB", "BtoA"), ("BtoA", "AtoB")])
def test_a_cyclegan_is_pruned_one_way(direction, other, place, monkeypatch, capsys):
    """The chosen direction is cut under its own budget, the other one stays dense; resume, export and verify go on."""
    budget = ["--prune-direction", direction, "--budget", f"{direction}=40%", "--trials", 2]
    assert call(monkeypatch, "search", *STRIPES, *budget, *QUICK) == 0
    assert call(monkeypatch, "resume", "search", "--trials", 3, "--executor", "local") == 0
    assert [trial.state.name for trial in trials()] == ["COMPLETE"] * 3
    assert set(teacher_of(place)["files"]) >= {f"generator-{name}.safetensors" for name in ("AtoB", "BtoA")}
    assert call(monkeypatch, "export", "search", "--best-under", "39.9%", "--out", "b") == 0
    assert json.loads((place / "b" / "architecture.json").read_text())["network"] == direction
    assert call(monkeypatch, "verify", "b") == 0
    assert call(monkeypatch, "pareto", "search", "--pictures", "p.png") == 0
    assert Image.open(place / "p.png").size[0] > 300
    wrong = ["--prune-direction", direction, "--budget", f"{other}=40%", "--study", "x"]
    line = refused(monkeypatch, capsys, "search", *STRIPES, *wrong, *QUICK)
    assert f"is for {other}; this study prunes {direction}" in line


@pytest.mark.long
def test_a_cyclegan_is_pruned_both_ways(place, monkeypatch, capsys):
    """Each direction is cut under its own budget, in every trial; cost is the sum, quality the mean; two bundles."""
    assert call(monkeypatch, "inspect", *STRIPES[:6], "--json") == 0
    dense = json.loads(capsys.readouterr().out)["dense"]["macs"]
    both = ["--prune-direction", "both", "--methods", "uniform,widths,magnitude", "--keep", "BtoA.model.7"]
    search = ["search", *STRIPES, *QUICK, *both]
    for budgets in (["AtoB=50%"], ["AtoB=50%", "AtoB=60%"], ["50%", "1Mparams"]):
        options = [part for budget in budgets for part in ("--budget", budget)]
        assert "expected one per generator, --budget AtoB=25%" in refused(monkeypatch, capsys, *search, *options)
    assert "BtoA=1Mparams" in refused(monkeypatch, capsys, *search, "--budget", "AtoB=50%", "--budget", "BtoA=1Mparams")
    (place / "one.safetensors").write_bytes(b"")
    line = refused(monkeypatch, capsys, *search, "--budget", "50%", "--teacher", "one.safetensors")
    assert "needs both generators" in line
    assert call(monkeypatch, *search, "--budget", "AtoB=50%", "--budget", "BtoA=70%", "--trials", 3) == 0
    assert call(monkeypatch, "resume", "search", "--trials", 5, "--executor", "local") == 0
    done = trials()
    assert [trial.state.name for trial in done] == ["COMPLETE"] * 5
    assert {trial.user_attrs["method"] for trial in done} == {"uniform", "widths", "magnitude"}
    for trial in done:
        found = {m["name"].partition("[")[0]: m["value"] for m in trial.user_attrs["measurements"]}
        assert trial.values[0] == pytest.approx((found["atob_fd"] + found["btoa_fd"]) / 2)
        assert trial.values[1] == found["macs"] <= (0.5 + 0.7) * dense
        assert {name.partition(".")[0] for name in trial.user_attrs["plan"]} == {"AtoB", "BtoA"}
        assert "BtoA.model.7" not in trial.user_attrs["plan"]

    assert call(monkeypatch, "pareto", "search", "--pictures", "p.png", "--plot", "f.png") == 0
    assert call(monkeypatch, "report", "search", "--out", "r.html") == 0
    assert call(monkeypatch, "export", "search", "--trial", 0, "--out", "b") == 0
    costs = {}
    for name, share in (("AtoB", 0.5), ("BtoA", 0.7)):
        assert call(monkeypatch, "verify", f"b/{name}") == 0
        card = json.loads((place / "b" / name / "card.json").read_text())
        assert card["lineage"]["network"] == name
        assert card["measurements"][0]["name"].startswith("fd[shapes")
        costs[name] = card["costs"]["macs"]
        assert 0.9 * share * dense < costs[name] <= share * dense  # the first plan of the ladder is at the budget
    assert sum(costs.values()) == done[0].values[1]
    kept = load_weights(place / "ganprune-artifacts" / "search" / "0" / "generator.safetensors")
    bundled = load_weights(place / "b" / "BtoA" / "generator.safetensors")
    assert all(torch.equal(kept[f"BtoA.{key}"], value) for key, value in bundled.items())
    assert call(monkeypatch, "export", "search", "--front", "--out", "front") == 0


def test_a_teacher_of_both_directions(place, monkeypatch, capsys):
    """Upstream's two checkpoints are the teacher; every weight of both is taken over; another name is refused."""
    a, b = upstream(place / "latest_net_G_A.pth", 1), upstream(place / "latest_net_G_B.pth", 2)
    search = ["search", *STRIPES, "--budget", "40%", "--trials", 1, *QUICK]
    wrong = f"AtoB={a},B={b}"
    assert "is not a file; the task has AtoB" in refused(monkeypatch, capsys, *search, "--teacher", wrong)
    assert call(monkeypatch, *search, "--teacher", f"AtoB={a},BtoA={b}") == 0
    for name, path in (("AtoB", a), ("BtoA", b)):
        kept = load_weights(place / "ganprune-artifacts" / "search" / "teacher" / f"generator-{name}.safetensors")
        given = load_weights(path)
        assert kept.keys() == given.keys()
        assert all(torch.equal(kept[key], given[key]) for key in given)
    assert set(teacher_of(place)["origin"]) == {"AtoB", "BtoA"}
    a.unlink()
    assert call(monkeypatch, "resume", "search", "--trials", 2, "--executor", "local") == 0  # the study has its copy


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
@pytest.mark.long
def test_a_teacher_of_one_generator(direction, place, monkeypatch, capsys):
    """One generator alone is distilled with the adversarial term on its outputs; there is no cycle to go round."""
    save_weights(build("resnet", {"ngf": 4, "n_blocks": 1}), place / "one.safetensors")
    given = ["--teacher", "one.safetensors", "--prune-direction", direction, "--budget", "40%", "--trials", 1]
    line = refused(monkeypatch, capsys, "search", *STRIPES, *given, *QUICK, "--distill", 0)
    assert "leave --distill above 0" in line
    assert call(monkeypatch, "search", *STRIPES, *given, *QUICK) == 0
    assert f"one generator is given: {direction} is distilled" in capsys.readouterr().err
    trial = trials()[0]
    terms = trial.user_attrs["training"]["losses"]
    assert set(terms) == {f"{direction}.adversarial", f"{direction}.distill_output", "discriminator"}
    assert [name for name in teacher_of(place)["files"] if name.startswith("generator")] == [
        f"generator-{direction}.safetensors"
    ]
    assert call(monkeypatch, "export", "search", "--trial", 0, "--out", "b") == 0


@pytest.mark.long
def test_an_sngan_is_pruned(place, monkeypatch):
    """Latents in, images out: several discriminator steps, quality on the same latents every time, samples drawn."""
    model = ["--model", "sngan_32", "--model-args", "ngf=8", "--task", "unconditional"]
    data = ["--data", "builtin:shapes", "--budget", "40%", "--d-steps", 2, "--trials", 2]
    assert call(monkeypatch, "search", *model, *data, *QUICK) == 0
    assert call(monkeypatch, "resume", "search", "--trials", 3, "--executor", "local") == 0
    assert [trial.state.name for trial in trials()] == ["COMPLETE"] * 3
    config = optuna.load_study(study_name="search", storage="sqlite:///ganprune.db").user_attrs["ganprune.config"]
    assert (config["image_size"], config["task_settings"]["latent"], config["recipe"]["d_steps"]) == (32, 128, 2)
    assert call(monkeypatch, "pareto", "search", "--pictures", "p.png") == 0
    assert call(monkeypatch, "export", "search", "--trial", 0, "--out", "b") == 0
    assert call(monkeypatch, "verify", "b") == 0
    for out in ("one", "two"):
        assert call(monkeypatch, "run", "b", "--samples", 3, "--seed", 5, "--out", out) == 0
    pictures = [sorted((place / out).iterdir()) for out in ("one", "two")]
    assert [path.read_bytes() for path in pictures[0]] == [path.read_bytes() for path in pictures[1]]
    assert len(pictures[0]) == 3


@pytest.mark.long
def test_patterns_choose_what_is_pruned_and_what_shares_a_ratio(place, monkeypatch, capsys):
    """--prune and --keep leave groups whole, also in the bundle; --tie makes one ratio of many; a dud pattern is named."""
    model = ["--model", "resnet", "--model-args", "ngf=8,n_blocks=3", "--image-size", 16, "--data", "builtin:shapes"]
    assert call(monkeypatch, "inspect", *model[:4], "--image-size", 16, "--json") == 0
    groups = {group["name"]: group["channels"] for group in json.loads(capsys.readouterr().out)["groups"]}
    assert list(groups) == [f"model.{n}" for n in ("1", "4", "7", "10.conv_block.1", "11.conv_block.1", "12.conv_block.1", "13", "16")]  # fmt: skip
    patterns = ["--prune", "model.1*", "--keep", "*.13", "--keep", "model.16", "--tie", "*.conv_block.*"]
    search = ["search", *model, "--budget", "85%", "--trials", 4, *QUICK]
    for option in ("--prune", "--keep", "--tie"):
        line = refused(monkeypatch, capsys, *search, option, "nosuch*")
        assert "a pattern matches no group: got 'nosuch*'; expected one of model.1, model.4" in line
    assert call(monkeypatch, *search, *patterns, "--methods", "widths") == 0
    free = {"model.1", "model.10.conv_block.1", "model.11.conv_block.1", "model.12.conv_block.1"}
    for trial in trials():
        assert set(trial.user_attrs["plan"]) == free
        ratios = {name: value for name, value in trial.params.items() if name.startswith("ratio:")}
        assert set(ratios) == {"ratio:model.1", "ratio:*.conv_block.*"}
        blocks = {width for name, width in trial.user_attrs["plan"].items() if "conv_block" in name}
        assert max(blocks) - min(blocks) <= 1  # the last channels that fit under the target
    assert call(monkeypatch, "export", "search", "--trial", 0, "--out", "b") == 0
    whole = json.loads((place / "b" / "architecture.json").read_text())["whole"]
    assert whole == {
        "model.4": "left out by --prune", "model.7": "left out by --prune",
        "model.13": "kept by --keep '*.13'", "model.16": "kept by --keep 'model.16'",
    }  # fmt: skip
    assert call(monkeypatch, "verify", "b") == 0
