"""Messages between engine and worker: a trial's request, its reports and its outcome. No torch, no database."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ...evaluators.health.collapse import Health
from ...evaluators.measurement import Measurement
from ...gan_models.files.plain_values import later
from ...gan_models.pruning.proposal import Proposal
from ...gan_models.quantization.settings import QuantSettings
from ...gan_models.reconstruction.record import Reconstruction
from ...spaces.methods import stored_settings
from ..resolved_study import ResolvedStudy
from .learning_curve import LearningCurve
from .prepared_artifact import Prepared

FinishedState = Literal["COMPLETE", "PRUNED", "FAIL"]
FINISHED_STATES: tuple[FinishedState, ...] = ("COMPLETE", "PRUNED", "FAIL")


@dataclass(frozen=True)
class TrialRequest:
    """A request to run one trial, with all that a worker needs and no database address.

    Attributes:
        number: The trial's number in its study, from 0.
        attempt: 1 for the first time this trial is trained, 2 after it was put back once, ...
        proposal: The proposal to build.
        seed: The trial's seed, from the study's seed and `number`.
        workspace: The trial's folder: checkpoints, weights, `result.json`.
        study: The resolved study; None in tests of the engine only.
        prepared: The study's preparations, including its teacher.
        step_seconds: Seconds per step by kind of network, for a simulated study; else empty.

    Raises:
        ValueError: The number is below 0 or the attempt below 1.
    """

    number: int
    attempt: int
    proposal: Proposal
    seed: int
    workspace: str
    study: ResolvedStudy | None = None
    prepared: Prepared = field(default_factory=Prepared)
    step_seconds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.number < 0 or self.attempt < 1:
            raise ValueError(
                f"invalid request: got number {self.number}, attempt {self.attempt}; expected number >= 0 and attempt "
                f">= 1"
            )
        proposal = self.proposal
        if isinstance(proposal.settings, Mapping):  # read from JSON, which has no class of settings
            settings = stored_settings(proposal.method, proposal.settings)
            object.__setattr__(self, "proposal", replace(proposal, settings=settings))


@dataclass(frozen=True)
class TrialReport:
    """The report of a running trial at a rung; it includes all earlier reports, so that a lost one is harmless.

    Attributes:
        step: The rung: number of completed fine-tuning steps.
        quality: Quality at the rung (lower is better).
        cost: The pruned generator's cost, in the study's unit.
        rungs: Quality by rung, including this one.
        widths: Channels per group of the cut network.
        architecture: The plan's hash.
        measurements: Measurements so far.
        seconds: Seconds so far, by phase.
        curves: Losses so far, by phase.

    Raises:
        ValueError: The step is below 0.
    """

    step: int
    quality: float
    cost: float
    rungs: Mapping[int, float]
    widths: Mapping[str, int] = field(default_factory=dict)
    architecture: str = ""
    measurements: tuple[Measurement, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, LearningCurve] = later(factory=dict)

    def __post_init__(self) -> None:
        if self.step < 0:
            raise ValueError(f"invalid step of a report: got {self.step}; expected 0 or more")
        object.__setattr__(self, "rungs", {**self.rungs, self.step: self.quality})


@dataclass(frozen=True)
class Artifact:
    """The files of a trial's generator, relative to the study's folder, with their sha256.

    Attributes:
        path: File of the weights.
        sha256: Hash of the weights.
        plan: File of the plan that the generator was cut to.
        quantization: File of the ranges of its quantization; empty for float32.
        quantization_sha256: Hash of that file.
    """

    path: str
    sha256: str
    plan: str = ""
    quantization: str = ""
    quantization_sha256: str = ""


@dataclass(frozen=True)
class StepsSpent:
    """The generator steps of a trial.

    Attributes:
        prune: Steps of its method.
        finetune: Steps of fine-tuning.
    """

    prune: int
    finetune: int


@dataclass(frozen=True)
class ComputeSpent:
    """The multiply-accumulates of all forward and backward passes of a trial; a backward counts as two forwards.

    Passes of the teacher count. Passes that trials share (rankings, mggc's manifold) are charged to each trial that
    depends on them. Passes that only check or measure the result do not count.

    Attributes:
        prune: Training by the method.
        calibration: Passes on calibration inputs: ranking of channels, refits, ranges of 8 bits.
        finetune: Fine-tuning.
    """

    prune: int = 0
    calibration: int = 0
    finetune: int = 0

    @property
    def total(self) -> int:
        """The total."""
        return self.prune + self.calibration + self.finetune


@dataclass(frozen=True)
class TrainingSummary:
    """The end of a trial's fine-tuning.

    Attributes:
        seconds: Seconds of its steps.
        step: The last step whose losses were recorded.
        losses: Loss terms at that step, by name.
    """

    seconds: float
    step: int
    losses: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CostCheck:
    """The results of the independent count of a cut network, apart from its costs.

    Attributes:
        uncounted: Number of calls of operators that no count of MACs includes, by operator.
        missed_by_thop: MACs of modules that the second counter has no rule for, by module.
        counters_agree: True if both counters have the same sum apart from these.
    """

    uncounted: Mapping[str, int] = field(default_factory=dict)
    missed_by_thop: Mapping[str, int] = field(default_factory=dict)
    counters_agree: bool = True


@dataclass(frozen=True)
class TrialOutcome:
    """The outcome of a trial, with all results and measurements.

    Attributes:
        state: COMPLETE (ran to its last rung), PRUNED (stopped early) or FAIL.
        quality: The study's quality (lower is better); None if it was not measured.
        cost: The study's cost; None if it was not measured.
        measurements: All measurements, the quality first if it is included.
        rungs: Quality by rung (fine-tuning steps).
        widths: Channels per group of the cut network.
        architecture: The plan's hash.
        artifact: The generator's files, or None.
        stopped: Reason that it ended early or failed; None for COMPLETE.
        seconds: Seconds by phase.
        worker: Host, process and device of the run.
        constraints: Constraints by name; a value above 0 means that the trial is infeasible.
        quantized: Settings of the generator's quantization; None for float32.
        steps: Generator steps of the trial; None if there were none.
        compute: Multiply-accumulates of the trial; None if they were not counted.
        training: The end of its fine-tuning.
        health: Collapse indicators of its networks during training.
        cost_check: The independent count of the cut network.
        method_record: The method's own record as plain JSON, for the method's author; no table shows it.
        reconstructions: Records of refitting the cut network, by generator; empty if nothing was refitted.
        zero_shot: Scores of the teacher cut to the same plan and refitted, before any training; never a quality.
        same_as: Number of the trial with the same network, whose result this is; None for its own result.
        traceback: The end of the traceback of a trial that failed.
        curves: Losses by phase, thinned to `learning_curve.LOSS_BYTES`; empty without training.

    Raises:
        ValueError: The state is invalid, or a trial that is not COMPLETE has no reason.
    """

    state: FinishedState
    quality: float | None = None
    cost: float | None = None
    measurements: tuple[Measurement, ...] = ()
    rungs: Mapping[int, float] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)
    architecture: str = ""
    artifact: Artifact | None = None
    stopped: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    worker: str = ""
    constraints: Mapping[str, float] = field(default_factory=dict)
    quantized: QuantSettings | None = None
    steps: StepsSpent | None = None
    compute: ComputeSpent | None = None
    training: TrainingSummary | None = None
    health: tuple[Health, ...] = ()
    cost_check: CostCheck | None = None
    method_record: Mapping[str, Any] = field(default_factory=dict)
    reconstructions: Mapping[str, Reconstruction] = field(default_factory=dict)
    zero_shot: tuple[Measurement, ...] = ()
    same_as: int | None = None
    traceback: str = ""
    curves: Mapping[str, LearningCurve] = later(factory=dict)

    def __post_init__(self) -> None:
        if self.state not in FINISHED_STATES:
            raise ValueError(
                f"invalid state of an outcome: got {self.state!r}; expected one of {', '.join(FINISHED_STATES)}"
            )
        if self.state != "COMPLETE" and not self.stopped:
            raise ValueError(f"a {self.state} outcome has no reason: expected one in `stopped`")

    @property
    def compute_macs(self) -> int | None:
        """All multiply-accumulates of the trial; None if they were not counted."""
        return None if self.compute is None else self.compute.total

    def of_twin(self, number: int) -> "TrialOutcome":
        """Return this outcome for another trial of the same network, whose seconds are 0.

        Args:
            number: The trial whose outcome this is.
        """
        return replace(self, same_as=number, seconds={})


def failure(reason: str, trace: str = "") -> TrialOutcome:
    """Return a FAIL outcome with its reason in one line and the end of a traceback."""
    line = " ".join(reason.split())[:500] or "failed without a message"
    return TrialOutcome(state="FAIL", stopped=line, traceback=trace[-2000:])
