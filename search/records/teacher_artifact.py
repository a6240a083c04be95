"""The teacher of a study, as in its record: a file of the study's folder, and its measurements and provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...evaluators.measurement import Measurement
from ...gan_models.files.plain_values import later
from .learning_curve import LearningCurve


@dataclass(frozen=True)
class TeacherArtifact:
    """A trained teacher; without a path, one that does not exist yet, or is simulated.

    Attributes:
        path: Folder of the teacher.
        sha256: Hash of its record in that folder, which lists its files and their sha256.
        measurements: Measurements, its quality first.
        data: Hash of the data's content.
        seconds: Seconds of its training.
        origin: Description of its training, or the user's weights by generator: `file` and `sha256`.
        inputs: Scores of the untouched inputs in place of outputs; empty if the generators take no images.
        tested, tested_inputs: The same two on the test split, if trials are compared on another split; else empty.
        notes: Notes for the user.
        times: Seconds per step of a simulated study, by kind of network.
        curves: Losses of its training, by phase; empty if it was not trained here.
    """

    path: str = ""
    sha256: str = ""
    measurements: tuple[Measurement, ...] = ()
    data: str = ""
    seconds: float = 0.0
    origin: str | Mapping[str, Mapping[str, str]] = ""
    inputs: tuple[Measurement, ...] = ()
    tested: tuple[Measurement, ...] = ()
    tested_inputs: tuple[Measurement, ...] = ()
    notes: tuple[str, ...] = ()
    times: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, LearningCurve] = later(factory=dict)
