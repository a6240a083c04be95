"""Proposals for the tests of pruning methods, and jobs that differ in a field, wherever in the job it stands."""

from dataclasses import fields, replace

from ganprune.gan_models.pruning.catalog import method_spec
from ganprune.gan_models.pruning.method import PruneJob, TrainingContext
from ganprune.gan_models.pruning.proposal import Proposal

IN_TRAINING = {field.name for field in fields(TrainingContext)}


def proposal(method, target, widths=None, **settings):
    """A method's proposal at a target; `settings` that are not given are at their defaults."""
    return Proposal(method, method_spec(method).settings(**settings), target.value, target.cost, widths)


def changed(job: PruneJob, **values) -> PruneJob:
    """The job with other values; `settings` are of its proposal, and what only training needs of its context."""
    if "settings" in values:
        values["proposal"] = replace(job.proposal, settings=values.pop("settings"))
    inner = {name: values.pop(name) for name in [*values] if name in IN_TRAINING}
    training = replace(job.training, **inner) if inner else job.training
    return replace(job, **{"training": training, **values})
