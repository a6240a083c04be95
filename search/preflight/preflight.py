"""The preflight of a search: all errors, notes, and the hours, before anything starts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...gan_models.files.errors import Refusals, UserError, errors_of
from ...gan_models.files.plain_values import to_json
from ...gan_models.files.user_code import blaming
from ..resolved_study import ResolvedStudy
from .checks import CHECKS, Check
from .estimate import Estimate, Workload, estimated, options_that_shorten
from .finding import Finding, Kind
from .launch import Launch
from .timing import time_work

MARKS: dict[Kind, str] = {"error": "error", "warning": "warn ", "note": "note ", "passed": "ok   "}


@dataclass(frozen=True)
class Preflight:
    """The findings and hours of a search before it starts. `str()` returns the user's table.

    Attributes:
        findings: Errors first, then warnings, notes, and passed checks.
        estimate: The hours; None if an error makes them unknown, or if they were not requested.
        resolved: The study; None if it cannot be resolved.
    """

    findings: tuple[Finding, ...]
    estimate: Estimate | None = None
    resolved: ResolvedStudy | None = None

    def of_kind(self, kind: Kind) -> tuple[Finding, ...]:
        """Return the findings of one kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    @property
    def passes(self) -> bool:
        """True if the search can start."""
        return not self.of_kind("error")

    def study(self) -> ResolvedStudy:
        """Return the resolved study.

        Raises:
            UserError: There are errors; each has a line of its own.
        """
        refusals = Refusals()
        for finding in self.of_kind("error"):
            wrong = UserError(finding.line)
            wrong.traceback = finding.traceback
            refusals.add(wrong)
        refusals.end()
        assert self.resolved is not None  # without an error, there is a study
        return self.resolved

    def to_json(self) -> dict[str, Any]:
        """Return findings and estimate as plain JSON; the study has its own record."""
        estimate = self.estimate
        hours = None if estimate is None else {**to_json(estimate), "hours": estimate.hours}
        return {"findings": to_json(self.findings), "estimate": hours}

    def __str__(self) -> str:
        lines = [f"{MARKS[finding.kind]}  {finding.line}" for finding in self.findings]
        if self.estimate is not None:
            lines.append(f"hours  {self.estimate.line}")
        return "\n".join(lines)


def of_errors(errors: Iterable[UserError]) -> list[Finding]:
    """Return raised errors as findings."""
    return [Finding("error", str(one), traceback=one.traceback) for error in errors for one in errors_of(error)]


def examined(
    launch: Launch | None, found: Iterable[Finding], hours: bool = True, checks: Iterable[Check] = CHECKS
) -> Preflight:
    """Return the preflight of a search: earlier findings, and those of the checks.

    Args:
        launch: Input of the checks; None if the configuration itself cannot be read.
        found: Findings of the resolution, or of its failure.
        hours: True to estimate the hours, which trains for some steps.
        checks: The table of checks.
    """
    findings = list(found)
    for check in checks:
        if launch is None:
            break
        refusals = Refusals()
        with refusals.kept(), blaming():
            findings += check(launch)
        findings += of_errors(refusals.errors)
    study, estimate, refusals = launch.study if launch is not None else None, None, Refusals()
    if hours and launch is not None and study is not None and all(finding.kind != "error" for finding in findings):
        with refusals.kept(), blaming():
            estimate = estimate_of(launch)
    findings += of_errors(refusals.errors)
    ordered = [finding for kind in MARKS for finding in dict.fromkeys(findings) if finding.kind == kind]
    return Preflight(tuple(ordered), estimate, None if study is None else study.resolved)


def estimate_of(launch: Launch) -> Estimate:
    """Return the hours of a resolved study, with options that would shorten them."""
    assert launch.study is not None
    work, timing = Workload.of(launch.study, launch.placement), time_work(launch.study, launch.placement.cpus_per_trial)
    config = launch.study.config
    return estimated(work, timing, options_that_shorten(config, work, timing, launch.placement))
