"""A resolved study for tests of the engine: what its fake trials are to do stands in the task's settings."""

from ganprune.gan_models.groups.group_table import GroupTable
from ganprune.search.config import StudyConfig
from ganprune.search.resolved_study import DataSummary, ResolvedStudy
from ganprune.spaces.budget import PricedBudget


def fake_study(model: str = "resnet", **orders) -> ResolvedStudy:
    """Return a study without a network: `seconds` of a step, `faults` by trial number."""
    shape = {"input_shape": (3, 16, 16)} if ":" in model else {}
    config = StudyConfig(name="s", model=model, data="builtin:shapes", budgets=("25%",), task_settings=orders, **shape)
    budgets = (PricedBudget(config.stated_budgets.first, 1.0),)
    return ResolvedStudy(
        config, budgets, {"macs": 4.0}, {"macs": 0.1}, 1.0, GroupTable(("a",), (4,)), DataSummary({"test": 1}, "0" * 64)
    )


def orders_of(request) -> dict:
    """Return what a request's study tells the fake trials."""
    return {} if request.study is None else dict(request.study.config.task_settings)
