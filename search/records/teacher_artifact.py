"""The teacher of a study, as its record names it: a file of the study's folder and all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...evaluators.measurement import Measurement
from ...gan_models.files.plain_values import later
from .learning_curve import LearningCurve


@dataclass(frozen=True)
class TeacherArtifact:
    """A trained teacher; without a path one that is not made yet, or that is simulated.

    Attributes:
        path: Its folder.
        sha256: Of its record in that folder, which names its files and their sha256.
        measurements: Its quality first.
        data: Hash of the data's content.
        seconds: Seconds of its training.
        origin: How it was trained, or the user's weights by generator: `file` and `sha256`.
        inputs: What the untouched inputs score in the place of outputs; empty if the generators take no images.
        tested, tested_inputs: The same two on the test split, if trials are compared on another one; else empty.
        notes: What a user should be told of it.
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
