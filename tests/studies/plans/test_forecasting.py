"""A forecast, from the teacher's file to the trial of one of its plans."""

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import save_weights
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.plan_scores.zero_shot import ZeroShotScorer
from ganprune.search.forecast.cost_range import ForecastOptions
from ganprune.search.preparations.opened_study import OpenedStudy
from ganprune.studies.api import RunOptions, Search, Study
from ganprune.studies.bundles.verify import verify_bundle
from ganprune.studies.plans.forecast_picture import write_forecast
from PIL import Image

from ...tiny_study import SMALL

LOCAL = RunOptions(executor="local")


def search_of(folder, **changes) -> Search:
    """A search of a tiny generator whose teacher is a file."""
    options = {name: value for name, value in SMALL.items() if name not in ("model", "data", "budgets")}
    torch.manual_seed(0)
    teacher = folder / "teacher.safetensors"
    save_weights(build("resnet", dict(SMALL["model_args"])), teacher)
    options |= {"trials": 2, "methods": ("uniform",), "teacher": str(teacher), "teacher_steps": 3} | changes
    return Search("resnet", "builtin:shapes", "60%", "f", options, f"sqlite:///{folder}/s.db", run_options=LOCAL)


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    """The folder, and what was forecast there."""
    folder = tmp_path_factory.mktemp("forecast")
    trained = []
    found = search_of(folder).forecast(
        ForecastOptions(costs=2, evaluations=2), on_teacher=lambda *step: trained.append(step)
    )
    return folder, found, trained


def test_a_forecast_trains_nothing_and_has_no_trial(forecast):
    """The study exists, with plans and without a trial or a front; no discriminator is warmed up for it."""
    folder, found, trained = forecast
    study = Study.open("f", f"sqlite:///{folder}/s.db")
    assert study.trials == ()
    assert study.front() == ()
    assert trained == []
    assert study.plans == tuple(found.plans)


def test_every_score_is_called_zero_shot(forecast):
    """Error to the teacher and the study's metrics; the teacher itself has the metrics alone."""
    _, found, _ = forecast
    names = {score.name.partition("[")[0] for plan in found.plans for score in plan.scores}
    assert names == {"zero-shot"}
    assert found.plans[0].origin == "dense teacher"
    assert found.plans[0].error is None
    assert all(0 < plan.error < 5 for plan in found.plans[1:])
    assert {plan.quality.name for plan in found.plans if plan.quality} == {"zero-shot[fd,features=shapes,n=8]"}


def test_plans_are_within_the_budget_and_uniform_is_among_them(forecast):
    """At each cost the uniform plan stands beside the best."""
    _, found, _ = forecast
    dense = found.plans[0].cost
    assert all(plan.cost <= 0.6 * dense * (1 + 1e-9) for plan in found.plans[1:])
    assert sum(plan.origin == "uniform" for plan in found.plans) == 2


def test_the_picture_has_a_column_per_cost(forecast, tmp_path):
    """The input, the teacher and the best plan at each of two costs, under the plot."""
    _, found, _ = forecast
    labels = [column.label.partition("\n")[0] for column in found.pictures]
    assert labels[:2] == ["input", "dense teacher"]
    assert len(labels) == 4
    path = write_forecast(tmp_path / "f.png", "f", "macs", found.plans[0].cost, found.plans, found.pictures)
    assert min(Image.open(path).size) > 600


def test_a_plan_is_exported_only_as_untrained_and_its_card_says_so(forecast, tmp_path):
    """Without the word it is refused with what to do; with it the bundle is whole, and card and lineage say it."""
    folder, found, _ = forecast
    study, name = Study.open("f", f"sqlite:///{folder}/s.db"), found.plans[-1].name
    with pytest.raises(UserError, match=rf"plan {name} was not trained: .* resume f --plan {name}`, or --untrained"):
        study.export_plan(name, tmp_path / "b", untrained=False)
    with pytest.raises(UserError, match="plan is not known: got P99; study 'f' has P0 to"):
        study.export_plan("P99", tmp_path / "b", untrained=True)
    card = study.export_plan(name, tmp_path / "b", untrained=True, formats=[])
    assert (card.lineage["trial"], card.lineage["plan"], card.lineage["trained"]) == (None, name, False)
    assert "NOT TRAINED" in card.notes[0]
    text = (tmp_path / "b" / "card.md").read_text()
    assert f"\n# resnet, pruned and NOT TRAINED: plan {name} of study f\n" in text
    assert "| zero-shot[error" in text
    assert "| fd[" not in text
    assert all(check.passed for check in verify_bundle(tmp_path / "b"))


def test_resume_trains_a_plan_of_the_forecast(forecast):
    """It becomes a trial of its own that ends COMPLETE, and the plan stays what it was."""
    folder, found, _ = forecast
    plan = found.plans[-1]
    after = Study.open("f", f"sqlite:///{folder}/s.db").resume(run_options=LOCAL, plans=[plan.name])
    (trial,) = after.trials
    assert (trial.state, trial.new.origin, dict(trial.widths)) == ("COMPLETE", f"plan:{plan.name}", dict(plan.widths))
    assert trial.zero_shot.outputs == pytest.approx(plan.errors.outputs)
    assert trial.zero_shot.features == pytest.approx(plan.errors.features)
    assert after.plans == tuple(found.plans)


def test_an_interrupted_forecast_goes_on_and_repeats_nothing(tmp_path, monkeypatch, forecast):
    """Ended after some evaluations, it makes the others once; the plans are those of a forecast without the end."""
    scored, measured, evaluations = [], [], ZeroShotScorer.score

    def counted(self, plan):
        if len(scored) == 5 and not ended:
            raise KeyboardInterrupt
        scored.append(plan)
        return evaluations(self, plan)

    monkeypatch.setattr(ZeroShotScorer, "score", counted)
    quality = OpenedStudy.measure
    monkeypatch.setattr(OpenedStudy, "measure", lambda *a, **k: measured.append(1) or quality(*a, **k))
    ended, options = False, ForecastOptions(costs=2, evaluations=2)
    with pytest.raises(KeyboardInterrupt):
        search_of(tmp_path).forecast(options)
    ended = True
    after = search_of(tmp_path).forecast(options)
    assert len({str(plan) for plan in scored}) == len(scored)
    assert len(measured) == sum(plan.quality is not None for plan in after.plans)
    _, whole, _ = forecast
    assert [(plan.name, plan.widths, plan.scores) for plan in after.plans] == [
        (plan.name, plan.widths, plan.scores) for plan in whole.plans
    ]
    scored.clear()
    again = search_of(tmp_path).forecast(options)
    assert scored == []
    assert again.plans == after.plans
    assert len(again.pictures) == len(whole.pictures)


def test_a_plain_resume_begins_with_the_best_plan_of_the_forecast(tmp_path):
    """One of four trials is the forecast's, and then the ladder comes; a second resume does not repeat it."""
    made = search_of(tmp_path, trials=4).forecast(ForecastOptions(costs=1, evaluations=4))
    best = min((plan for plan in made.plans if plan.errors and plan.origin != "uniform"), key=lambda p: p.errors.guide)
    for _ in range(2):
        after = Study.open("f", f"sqlite:///{tmp_path}/s.db").resume(run_options=LOCAL)
    assert [trial.new.origin.partition(":")[0] for trial in after.trials] == ["plan", "ladder", "ladder", "linear"][
        : len(after.trials)
    ]
    assert len(after.trials) <= 4
    assert dict(after.trials[0].new.proposal.widths) == dict(best.widths)
    assert {trial.state for trial in after.trials} <= {"COMPLETE", "PRUNED"}


def test_a_study_of_other_options_is_not_gone_on_with(forecast):
    """A forecast of the same name with other options would mix two studies."""
    folder, *_ = forecast
    with pytest.raises(UserError, match="seed of study 'f' cannot change: got 7; it has 0"):
        search_of(folder, seed=7).forecast()


def test_a_study_without_calibration_inputs_is_refused(tmp_path):
    """Nothing can be refitted without any; one line, and no study is left behind."""
    with pytest.raises(UserError, match="plans of study 'f' cannot be scored: got --calibration-images 0"):
        search_of(tmp_path, calibration_images=0).forecast()
    assert not (tmp_path / "s.db").exists()


@pytest.mark.parametrize("given", [{"costs": 0}, {"evaluations": 1}])
def test_too_few_plans_are_refused(given):
    """One cost and two plans are the least."""
    with pytest.raises(UserError, match=r"expected [12] or more"):
        ForecastOptions(**given)
