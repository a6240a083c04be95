"""GAN Slimming through the command line: budgets in bytes with both bits, one direction of a CycleGAN, its record."""

import optuna
import pytest

from ..command_line import QUICK, call, refused

SMALL = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--image-size", 16, *QUICK[:-1], "slimming"]
SMALL += ["--prune-steps", 4]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def trials():
    return optuna.load_study(study_name="search", storage="sqlite:///ganprune.db").trials


def test_slimming_meets_a_budget_in_bytes_in_both_bits_and_says_how_it_got_there(monkeypatch, capsys):
    """Every trial is at or under its target; the record holds rho's path, the own plan, encoder and objective."""
    fixed = ["--setting", "slimming.objective=dist+0.001gan", "--setting", "slimming.order=sequential"]
    data = ["--data", "builtin:shapes", "--budget", "0.02MB", "--trials", 4]
    assert call(monkeypatch, "search", *SMALL, *data, *fixed) == 0
    done = trials()
    assert [trial.state.name for trial in done] == ["COMPLETE"] * 4
    assert {trial.params["bits"] for trial in done} == {32, 8}
    assert not any("objective" in name for trial in done for name in trial.params)
    for trial in done:
        method = trial.user_attrs["method_record"]
        assert trial.values[1] <= trial.params["target"] <= 20_000
        assert trial.user_attrs["steps"] == {"prune": 4, "finetune": 2}
        assert method["objective"] == {
            "objective": "dist+0.001gan", "distance": "perceptual+l1", "form": "led", "order": "sequential",
        }  # fmt: skip
        assert method["encoder"].startswith("shapes-")
        assert [step for step, _ in method["rho"]] == [1, 2, 3, 4]
        # So few channels that one of them is a tenth of the cost.
        assert 0.5 <= method["cost_before_landing"]["ratio"] <= 1.5
    wrong = [*SMALL, *data, "--study", "x"]
    assert "expected 20dist+gan" in refused(
        monkeypatch, capsys, "search", *wrong, "--setting", "slimming.objective=most"
    )
    assert "does not contain VGG-16 weights" in refused(
        monkeypatch, capsys, "search", *wrong, "--vgg-weights", "no.pth"
    )
    assert "give it --prune-steps" in refused(monkeypatch, capsys, "search", *wrong, "--prune-steps", 0)


def test_slimming_prunes_one_direction_of_a_cyclegan(monkeypatch):
    """The objective has no cycle: one generator, its teacher and its discriminator; fine-tuning has all of them."""
    budget = ["--data", "builtin:stripes", "--prune-direction", "BtoA", "--budget", "BtoA=40%", "--trials", 1]
    assert call(monkeypatch, "search", *SMALL, *budget) == 0
    (trial,) = trials()
    assert trial.state.name == "COMPLETE"
    assert "BtoA.cycle" in trial.user_attrs["training"]["losses"]


def test_the_published_quantizer_is_one_flag_and_is_refused_where_no_trial_has_8_bits(monkeypatch, capsys):
    """The record of a trial says which grids it ran on; in 32 bits the flag would change nothing, so it is an error."""
    data = ["--data", "builtin:shapes", "--budget", "60%", "--trials", 1]
    flags = ["--quantizer", "published", "--no-per-channel"]
    assert call(monkeypatch, "search", *SMALL, *data, *flags, "--bits", 8) == 0
    (trial,) = trials()
    assert trial.state.name == "COMPLETE"
    assert trial.user_attrs["quantized"] == {
        "bits": 8, "per_channel": False, "scheme": "published", "reduce_range": False,
    }  # fmt: skip
    other = [*SMALL, *data, "--study", "x"]
    assert "Try --bits 8" in refused(monkeypatch, capsys, "search", *other, *flags)
    assert "expected signed or published" in refused(monkeypatch, capsys, "search", *other, "--quantizer", "uint8")
