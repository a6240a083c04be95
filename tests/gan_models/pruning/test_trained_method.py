"""A method's training phase: resumable bit for bit, seeded, with its path recorded."""

from dataclasses import replace

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import save_state
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.method import PruneJob, Target, TrainingContext
from ganprune.gan_models.pruning.trained_method import run_phase
from ganprune.gan_models.training import loop
from ganprune.gan_models.training.loop import TrainingDiverged
from ganprune.gan_models.training.recipe import Recipe

from .jobs import changed, proposal


class _Sum:
    """Adds up what it sees of data and random numbers."""

    batches_per_step = 2

    def __init__(self, ends_at=10**9, bad_at=None, stop_at=None):
        self.total, self.ends_at, self.bad_at, self.stop_at = torch.zeros(()), ends_at, bad_at, stop_at

    def step(self, step, batch_at):
        if step == self.stop_at:
            raise KeyboardInterrupt
        self.total = self.total * 0.9 + batch_at()["A"].sum() + batch_at()["A"].mean() + torch.randn(())
        return {"total": self.total if step != self.bad_at else float("nan")}

    def kind_of_step(self, step):
        return None

    def finished(self, done):
        return done >= self.ends_at

    def state(self):
        return {"total": self.total}, {}

    def load_state(self, tensors, info):
        self.total = tensors["total"]


@pytest.fixture(scope="module")
def job():
    model = build("resnet", {"ngf": 4, "n_blocks": 1})
    groups = find_groups(model, torch.randn(1, 3, 32, 32))
    data = [{"A": torch.full((3,), float(i))} for i in range(16)]
    target = Target("macs", 1e6)
    return PruneJob(
        model, "G", groups, proposal("magnitude", target), target, 3,
        TrainingContext(None, data, {}, None, Recipe(batch_size=2), torch.device("cpu"), 600),
    )  # fmt: skip


def test_an_interrupted_phase_ends_bit_for_bit_as_an_uninterrupted_one(job, tmp_path):
    whole, interrupted, resumed = _Sum(), _Sum(stop_at=430), _Sum()
    run_phase(whole, job, 600)
    kept = changed(job, workspace=tmp_path / "prune")
    with pytest.raises(KeyboardInterrupt):
        run_phase(interrupted, kept, 600)
    record = run_phase(resumed, kept, 600)
    assert torch.equal(resumed.total, whole.total)
    assert [step for step, _ in record.curve] == list(range(6, 601, 6))
    assert not torch.equal(interrupted.total, whole.total)


def test_a_finished_phase_ends_early_and_stays_ended_when_it_is_resumed(job, tmp_path):
    kept = changed(job, workspace=tmp_path / "prune")
    first = run_phase(_Sum(ends_at=7), kept, 100)
    again = _Sum(ends_at=7, stop_at=7)
    assert first.steps == run_phase(again, kept, 100).steps == 7
    assert first.path("total")[-1] == [7, pytest.approx(float(again.total))]


def test_the_data_and_noise_depend_on_the_seed_and_the_callers_random_numbers_are_untouched(job):
    torch.manual_seed(1)
    expected = torch.rand(())
    torch.manual_seed(1)
    one, two = _Sum(), _Sum()
    run_phase(one, job, 5)
    assert torch.rand(()) == expected
    run_phase(two, replace(job, seed=4), 5)
    assert not torch.equal(one.total, two.total)


def test_a_value_that_is_not_finite_ends_the_phase_by_name(job):
    with pytest.raises(TrainingDiverged, match="step 3"):
        run_phase(_Sum(bad_at=2), job, 5)


def test_a_checkpoint_of_another_job_is_refused_by_what_differs(job, tmp_path):
    kept = changed(job, workspace=tmp_path / "prune")
    run_phase(_Sum(), kept, 5)
    with pytest.raises(ValueError, match="seed differ"):
        run_phase(_Sum(), replace(kept, seed=9), 5)


def test_a_checkpoint_of_an_earlier_version_is_begun_anew(job, tmp_path):
    """One that was written before phases and fine-tuning had one loop: nothing of it is read."""
    kept = changed(job, workspace=tmp_path / "prune")
    whole = _Sum()
    run_phase(whole, job, 5)
    save_state(
        kept.training.workspace, {"total": torch.ones(())}, {"identity": {}, "phase": {}, "done": 3, "curve": []}
    )
    again = _Sum()
    assert run_phase(again, kept, 5).steps == 5
    assert torch.equal(again.total, whole.total)


def test_a_rung_stops_a_phase_for_good(job, tmp_path):
    """False at a rung ends the phase there, and it stays ended when it is resumed; every value of it was looked at."""
    seen = []
    for stop_at in (None, 4):
        phase = _Sum(stop_at=stop_at)
        record = loop.run_phase(
            phase, job.training.data, batch_size=2, steps=9, seed=1, identity={}, device=torch.device("cpu"), rungs=(2, 4),
            on_rung=lambda step: seen.append(step) or step < 4, checkpoint_dir=tmp_path,
        )  # fmt: skip
        assert (record.steps, record.stopped) == (4, True)
    assert seen == [2, 4]


def test_numbers_of_a_phase_are_recorded_as_they_are(job):
    """A number of Python loses no digit in the curve, though losses are float32."""

    class Exact(_Sum):
        def step(self, step, batch_at):
            return {**super().step(step, batch_at), "number": 1 / 3}

    assert run_phase(Exact(), job, 2).path("number") == [[1, 1 / 3], [2, 1 / 3]]
