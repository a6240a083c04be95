"""Values that the stages of a trial leave for each other."""

from types import SimpleNamespace
from typing import Any, cast

import torch
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.pruning.method import Pruned
from ganprune.search.artifacts.study_folder import write_curve
from ganprune.search.trial.work import Clock, TrialWork
from torch import nn


def work(tmp_path, names=("G",), pruned_steps=0, **config) -> TrialWork:
    """A trial of a study that has these generators, cut to a network of one channel each."""
    generators = (
        {name: nn.Conv2d(3, 3, 1) for name in ("AtoB", "BtoA")} if len(names) > 1 else {"G": nn.Conv2d(3, 3, 1)}
    )
    settings = SimpleNamespace(**{"prune_steps": 10, "finetune_steps": 20} | config)
    study = SimpleNamespace(config=settings, names=names, generators=generators)
    made = TrialWork(cast(Any, study), cast(Any, SimpleNamespace(workspace=str(tmp_path))), lambda report: True)
    cut = {name: nn.Conv2d(3, 1, 1) for name in names}
    model = cut["G"] if len(names) == 1 else nn.ModuleDict(cut)
    made.pruned = Pruned(model.requires_grad_(False), ChannelPlan({"g": (0,)}), steps=pruned_steps)
    return made


def test_steps_that_pruning_did_not_spend_are_fine_tuned(tmp_path):
    """Every trial has equally many steps in all, whatever its method spent, and none is negative."""
    for spent in (0, 4, 10):
        trial = work(tmp_path, pruned_steps=spent)
        assert trial.step_of_trial(trial.finetune_steps) == 30
    assert work(tmp_path, pruned_steps=12).finetune_steps == 20


def test_qualities_of_an_earlier_attempt_are_there(tmp_path):
    """A trial that is run again begins with the curve that its folder holds."""
    assert work(tmp_path).curve == {}
    write_curve(tmp_path, {3: 50.0, 6: 40.0})
    assert work(tmp_path).curve == {3: 50.0, 6: 40.0}


def test_the_cut_generator_trains_and_the_others_are_copies(tmp_path):
    """One of two generators is pruned: it can learn, and training of the other leaves the teacher unchanged."""
    trial = work(tmp_path, names=("AtoB", "BtoA"))
    trial.study.names = ("AtoB",)
    trial.pruned = Pruned(nn.Conv2d(3, 1, 1).requires_grad_(False), ChannelPlan({"g": (0,)}))
    networks = trial.networks()
    assert all(parameter.requires_grad for parameter in networks["AtoB"].parameters())
    teacher = trial.study.generators["BtoA"].weight.clone()
    with torch.no_grad():
        networks["BtoA"].weight.zero_()
    assert torch.equal(trial.study.generators["BtoA"].weight, teacher)


def test_seconds_add_up_by_stage(monkeypatch):
    """Two laps of one stage are one number, and no time is counted twice."""
    times = iter([0.0, 1.0, 3.0, 7.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    clock = Clock()
    for stage in ("finetune", "measure", "finetune"):
        clock.lap(stage)
    assert clock.seconds == {"finetune": 5.0, "measure": 2.0}
