"""The check of a network against the rules of the runtime of a latency budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ...gan_models.export.exporter import ExportJob
from ...gan_models.export.lint.catalog import RUNTIME_RULES
from ...gan_models.export.lint.lint import LintFinding, Traced
from ...gan_models.export.program import NoProgram
from ...gan_models.networks.value_ranges import with_own_ranges
from ..setup.pruned_generators import one_network
from .finding import Finding
from .launch import Launch


def runtime_rules(launch: Launch) -> Iterator[Finding]:
    """Yield what the runtime of a latency budget rejects, runs elsewhere or runs slowly of the generator."""
    study = launch.study
    if study is None:
        return
    aimed = {profile.runtime for profile in study.profiles.values()}
    for name, dtype in sorted((name, dtype) for name, dtype in aimed if name in RUNTIME_RULES):
        row, inputs = RUNTIME_RULES.find(name), study.config.own_inputs
        model = with_own_ranges(one_network(study.config)).cpu().eval()
        try:
            found = Traced.of(ExportJob(model, inputs.examples(1), inputs.names, free_batch=False)).lint(name, dtype)
        except NoProgram as error:
            yield Finding("warning", f"{row.title}: {error}", "a network that torch.export traces")
            continue
        left = [each for each in found if not each.removed]
        for each in left:
            yield Finding(_kind(each), f"{row.title}: {each.line}")
        if removed := [each for each in found if each.removed]:
            names = ", ".join(dict.fromkeys(name for each in removed for name in each.rewrites))
            yield Finding("passed", f"{row.title}: rewrites remove what it does not run well: {names}")
        elif not left:
            yield Finding("passed", f"{row.title}: no rule concerns this network")


def _kind(found: LintFinding) -> Literal["warning", "note"]:
    return "warning" if found.rule.kind == "unsupported" else "note"
