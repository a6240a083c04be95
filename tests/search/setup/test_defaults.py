"""A search whose methods and steps were left open takes those of the comparison, where steps and memory allow them."""

import pytest
import torch
from ganprune.gan_models.pruning.catalog import TRAINED, method_sizes, method_spec
from ganprune.search.config import STEPS_TO_BE_CHOSEN, StudyConfig
from ganprune.search.setup import defaults as default_methods
from ganprune.search.setup.defaults import (
    METHODS,
    MIN_PRUNE_STEPS,
    MIN_TRIALS_FOR_WIDTHS,
    STEPS,
    steps_of,
    with_methods,
)
from ganprune.search.setup.pruned_generators import new_network
from ganprune.search.setup.resolve import resolve
from ganprune.studies.run_options import RunOptions
from hypothesis import given
from hypothesis import strategies as st

PATCH = {"model": "n_layers", "ndf": 4, "n_layers": 1}
TINY = {
    "name": "d", "model": "resnet", "model_args": {"ngf": 4, "n_blocks": 1}, "data": "builtin:shapes",
    "budgets": ("60%",), "image_size": 16, "n_train": 8, "n_test": 8, "task_settings": {"discriminator": PATCH},
    "metric": "shapes", "device": "cpu", "trials": 30,
}  # fmt: skip
TRAINING = tuple(name for name in METHODS if method_spec(name).trains)
OTHERS = tuple(name for name in METHODS if not method_spec(name).trains)


def config(**changes) -> StudyConfig:
    return StudyConfig(**TINY | changes)


def memory_of(monkeypatch: pytest.MonkeyPatch, free: float) -> None:
    monkeypatch.setattr(default_methods, "free_bytes", lambda device: int(free))


def sizes() -> dict[int, int]:
    """Bytes in training by embedding."""
    _, parts = resolve(config())
    with torch.device("meta"):
        rows = method_sizes("coronet", new_network(parts.config), parts.groups)
    return {row["embedding"]: row[TRAINED] for row in rows}


def test_nothing_given_is_uniform_plans_and_the_methods_that_won_the_comparison():
    """Four thousand steps a trial, 30 % of them to prune in."""
    found, notes = with_methods(config())
    assert found.methods == METHODS == ("uniform", "reconstruct", "coronet", "widths")
    assert (found.prune_steps, found.finetune_steps) == (1200, 2800)
    assert notes == []


def test_a_short_search_is_without_the_width_search():
    """It takes some 30 trials until it knows which groups matter; named, it is searched in any study."""
    assert with_methods(config(trials=MIN_TRIALS_FOR_WIDTHS - 1))[0].methods == ("uniform", "reconstruct", "coronet")
    named = config(trials=5, methods=("uniform", "widths"), prune_steps=0, finetune_steps=9)
    assert with_methods(named)[0].methods == ("uniform", "widths")


def test_without_calibration_inputs_the_method_that_scores_plans_is_left_out():
    """With a note if no methods are named; 0 images is a choice of the user's own."""
    found, notes = with_methods(config(calibration_images=0))
    assert found.methods == tuple(name for name in METHODS if name != "reconstruct")
    assert "reconstruct is omitted: it scores plans on calibration inputs" in notes[0]
    named = config(methods=("reconstruct", "uniform"), calibration_images=0, prune_steps=0, finetune_steps=9)
    assert with_methods(named)[0].methods == ("reconstruct", "uniform")


def test_what_is_given_stays():
    """Methods and steps that a user or a record names are never changed, and deciding twice changes nothing."""
    given_all = config(methods=("magnitude", "coronet"), prune_steps=5, finetune_steps=7)
    assert with_methods(given_all) == (given_all, [])
    old = config(methods=("uniform", "widths", "magnitude"), prune_steps=0, finetune_steps=4000)
    assert with_methods(old) == (old, [])
    once, _ = with_methods(config())
    assert with_methods(once) == (once, [])
    assert with_methods(config(methods=("coronet",), finetune_steps=10))[0].prune_steps == 4


@given(prune=st.integers(0, 9000), finetune=st.integers(1, 9000), trains=st.booleans())
def test_open_steps_follow_from_those_given(prune, finetune, trains):
    """30 % of all steps are for pruning where a method trains and none otherwise; what is given is kept."""
    assert steps_of(prune, finetune, trains) == (prune, finetune)
    share, same = steps_of(STEPS_TO_BE_CHOSEN, finetune, trains)
    assert same == finetune
    assert abs(share - 0.3 * (share + finetune)) <= 1 if trains else share == 0
    kept, rest = steps_of(prune, STEPS_TO_BE_CHOSEN, trains)
    assert kept == prune
    assert rest >= STEPS - prune
    assert rest >= 0.69 * (prune + rest)
    assert sum(steps_of(STEPS_TO_BE_CHOSEN, STEPS_TO_BE_CHOSEN, trains)) == STEPS


def test_with_too_few_steps_to_prune_in_the_methods_that_train_are_left_out():
    """Only default methods are left out, with a note; all steps are then fine-tuning. Steps that are given are enough."""
    least = round(MIN_PRUNE_STEPS * 0.7 / 0.3)
    assert with_methods(config(finetune_steps=least))[0].methods == METHODS
    few, notes = with_methods(config(finetune_steps=least - 3))
    assert few.methods == OTHERS
    assert (few.prune_steps, few.finetune_steps) == (0, least - 3)
    assert "methods that train are omitted (coronet)" in notes[0]
    assert "too few to prune in" in notes[0]
    none, notes = with_methods(config(prune_steps=0))
    assert (none.methods, none.finetune_steps) == (OTHERS, STEPS)
    assert "no steps to prune in" in notes[0]
    assert with_methods(config(prune_steps=1))[0].methods == METHODS
    with pytest.raises(ValueError, match="coronet trains before it cuts: give it --prune-steps"):
        config(methods=("coronet",), prune_steps=0).checked()


def test_a_hypernetwork_that_does_not_fit_is_made_smaller_or_left_out(monkeypatch):
    """The largest embedding that fits is fixed; where none does, coronet is left out with a note, before any trial."""
    needed = sizes()
    assert list(needed) == [8, 4, 2, 1]
    alone = RunOptions(executor="local").sharing
    for free, embedding in ((needed[8], None), (needed[8] - 1, 4), (needed[2], 2), (needed[1], 1)):
        memory_of(monkeypatch, free)
        plan, _ = resolve(config(), sharing=alone)
        assert plan.config.methods == METHODS
        assert plan.config.method_settings == ({"coronet.embedding": embedding} if embedding else {})
        assert sum("coronet" in note for note in plan.notes) == (embedding is not None)
    memory_of(monkeypatch, needed[1] - 1)
    plan, _ = resolve(config(), sharing=alone)
    assert plan.config.methods == ("uniform", "reconstruct", "widths")
    assert (plan.config.prune_steps, plan.config.finetune_steps) == (1200, 2800)
    assert any("coronet is omitted: it needs" in note for note in plan.notes)


def test_a_method_that_the_user_named_is_kept_with_a_warning(monkeypatch):
    """A named method of which no setting fits is kept; settings that the study fixes are not changed."""
    needed = sizes()
    memory_of(monkeypatch, needed[1] - 1)
    plan, _ = resolve(config(methods=("uniform", "coronet")), sharing=RunOptions(executor="local").sharing)
    assert plan.config.methods == ("uniform", "coronet")
    assert any("trials of coronet will fail: it needs" in note for note in plan.notes)
    memory_of(monkeypatch, needed[1])
    fixed = config(method_settings={"coronet.embedding": 8})
    plan, _ = resolve(fixed, sharing=RunOptions(executor="local").sharing)
    assert "coronet" not in plan.config.methods


def test_memory_is_shared_by_trials_that_run_at_once(monkeypatch):
    """Two trials need twice the memory; what is there on other machines is not known, and a resume changes nothing."""
    memory_of(monkeypatch, 2 * sizes()[8] - 1)
    one, two = RunOptions(max_concurrent=1), RunOptions()
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert resolve(config(), sharing=one.sharing)[0].config.method_settings == {}
    assert resolve(config(), sharing=two.sharing)[0].config.method_settings == {"coronet.embedding": 4}
    memory_of(monkeypatch, 1)
    assert resolve(config(), sharing=RunOptions(ray_address="10.0.0.1:6379").sharing)[0].config.methods == METHODS
    assert resolve(config())[0].config.methods == METHODS


def test_a_gpu_is_shared_by_as_many_trials_as_fit_on_it():
    """One by default; three where each takes a third of it, if there are CPUs for three."""
    assert RunOptions().sharing("cuda") == 1
    assert RunOptions(gpus_per_trial=1 / 3, max_concurrent=2).sharing("cuda") == min(2, RunOptions().at_once())
    assert RunOptions(gpus_per_trial=2).sharing("cuda") == 1
    assert RunOptions(executor="local").sharing("cpu") == 1
