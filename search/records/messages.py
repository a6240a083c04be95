"""What goes to a trial and what comes back from it: three frozen records, JSON both ways; no torch, no database."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from ...gan_models.files.plain_values import from_json
from ..resolved_study import ResolvedStudy

FinishedState = Literal["COMPLETE", "PRUNED", "FAIL"]
FINISHED_STATES: tuple[FinishedState, ...] = ("COMPLETE", "PRUNED", "FAIL")


def plain(value: Any) -> Any:
    """`value` as strict JSON: mappings, lists, strings, numbers; a number that is not finite becomes its text.

    JSON has no NaN; writing one makes the file and the database row unreadable to other programs.

    Raises:
        ValueError: something in it has no JSON form (it is named with its type).
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [plain(item) for item in value]
    raise ValueError(
        f"a record holds JSON only; got {type(value).__name__} {value!r:.60}; convert it to a number, text or list"
    )


def number_or_none(value: Any) -> float | None:
    """A float read back from `plain` (texts `nan`, `inf`, `-inf` included), or None."""
    return None if value is None else float(value)


def _curve(value: Mapping[Any, Any]) -> dict[int, float]:
    return {int(step): float(quality) for step, quality in value.items()}


def _record(cls: type, value: Mapping[str, Any]) -> dict[str, Any]:
    allowed = [field.name for field in fields(cls)]
    unknown = sorted(set(value) - set(allowed))
    if unknown:
        raise ValueError(f"{cls.__name__} has no field {unknown[0]!r}; allowed: {', '.join(allowed)}")
    return dict(value)


@dataclass(frozen=True)
class TrialRequest:
    """One trial to run: everything a worker needs, and no database address.

    Attributes:
        number: The trial's number in its study, from 0.
        attempt: 1 for the first time this trial is trained, 2 after it was put back once, ...
        method: The pruning method's name.
        settings: The method's own settings, as the method takes them.
        target: The cost aimed at, in `cost`'s unit.
        cost: Which cost (`macs`, `macs_published`, `params`, `bytes`, `latency_ms`).
        widths: Channels by group for methods that are given widths, else None.
        seed: The trial's seed, from the study's seed and `number`.
        workspace: The trial's folder: checkpoints, weights, `result.json`.
        bits: Of the generator's weights and activations: 8, or 32 for float32.
        study: The study, resolved; None in tests of the engine alone.
        teacher: The teacher's artifact, JSON (`path`, `sha256`, ...).
    """

    number: int
    attempt: int
    method: str
    settings: Mapping[str, Any]
    target: float
    cost: str
    widths: Mapping[str, int] | None
    seed: int
    workspace: str
    study: ResolvedStudy | None = None
    teacher: Mapping[str, Any] = field(default_factory=dict)
    bits: int = 32

    def __post_init__(self):
        if self.number < 0 or self.attempt < 1:
            raise ValueError(
                f"a request needs number >= 0 and attempt >= 1; got number {self.number}, attempt {self.attempt}"
            )
        if not (math.isfinite(self.target) and self.target > 0):
            raise ValueError(f"a request's target must be a finite cost above 0; got {self.target}")

    def to_json(self) -> dict[str, Any]:
        """The request as JSON."""
        return plain(asdict(self))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "TrialRequest":
        """The request that `to_json` wrote. Raises ValueError on an unknown field."""
        given = _record(cls, value)
        study = given.get("study")
        return cls(**given | {"study": None if study is None else from_json(ResolvedStudy, study)})


@dataclass(frozen=True)
class TrialReport:
    """What a running trial says at a rung; it carries everything said before, so that no report can be missed.

    Attributes:
        step: The rung: fine-tuning steps done.
        quality: Quality measured there (lower is better).
        cost: The pruned generator's cost, in the study's unit.
        rungs: Quality by rung, this one included.
        widths: Channels by group, as cut.
        architecture: The plan's hash.
        measurements: What is known so far, each one a Measurement as JSON.
        seconds: Seconds so far, by phase.
    """

    step: int
    quality: float
    cost: float
    rungs: Mapping[int, float]
    widths: Mapping[str, int] = field(default_factory=dict)
    architecture: str = ""
    measurements: tuple[Mapping[str, Any], ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        if self.step < 0:
            raise ValueError(f"a report's step must be 0 or more; got {self.step}")
        object.__setattr__(self, "rungs", _curve(self.rungs) | {self.step: float(self.quality)})
        object.__setattr__(self, "measurements", tuple(self.measurements))

    def to_json(self) -> dict[str, Any]:
        """The report as JSON."""
        return plain(asdict(self))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "TrialReport":
        """The report that `to_json` wrote. Raises ValueError on an unknown field."""
        given = _record(cls, value)
        given |= {"quality": float(given["quality"]), "cost": float(given["cost"])}
        return cls(**given)


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended.

    Attributes:
        state: COMPLETE (ran to its last rung), PRUNED (stopped early) or FAIL.
        quality: The study's quality (lower is better); None when it was not measured.
        cost: The study's cost; None when it was not measured.
        measurements: Everything measured, each one a Measurement as JSON.
        rungs: Quality by rung (fine-tuning steps).
        widths: Channels by group, as cut.
        architecture: The plan's hash.
        artifact: The weights' `path` (relative to the trial's folder) and `sha256`, or None.
        stopped: Why it ended early or failed; None for COMPLETE.
        seconds: Seconds by phase.
        worker: Where it ran (host, process, device).
        constraints: By name; a value above 0 means the trial is infeasible.
        record: The method's own record, JSON.
    """

    state: FinishedState
    quality: float | None = None
    cost: float | None = None
    measurements: tuple[Mapping[str, Any], ...] = ()
    rungs: Mapping[int, float] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)
    architecture: str = ""
    artifact: Mapping[str, Any] | None = None
    stopped: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    worker: str = ""
    constraints: Mapping[str, float] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.state not in FINISHED_STATES:
            raise ValueError(f"a result's state is one of {', '.join(FINISHED_STATES)}; got {self.state!r}")
        if self.state != "COMPLETE" and not self.stopped:
            raise ValueError(f"a {self.state} result must say why in `stopped`")
        object.__setattr__(self, "rungs", _curve(self.rungs))
        object.__setattr__(self, "measurements", tuple(self.measurements))

    def to_json(self) -> dict[str, Any]:
        """The result as JSON."""
        return plain(asdict(self))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "TrialResult":
        """The result that `to_json` wrote. Raises ValueError on an unknown field."""
        given = _record(cls, value)
        given |= {name: number_or_none(given.get(name)) for name in ("quality", "cost")}
        given["constraints"] = {name: float(item) for name, item in given.get("constraints", {}).items()}
        return cls(**given)


def failure(reason: str, trace: str = "") -> TrialResult:
    """A FAIL result with its reason in one line; the end of a traceback goes to its record."""
    line = " ".join(reason.split())[:500] or "failed without a message"
    return TrialResult(state="FAIL", stopped=line, record={"traceback": trace[-2000:]} if trace else {})
