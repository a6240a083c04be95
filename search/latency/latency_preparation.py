"""The latency profile of a study: a copy in its folder, so that workers and a resume need no database and no device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...gan_models.costs.cost_form import LATENCY
from ..config import StudyConfig
from ..configuration.kept_profile import KeptProfile
from ..preparations.cost_profile import CostProfile
from ..setup.opened_profile import NoProfile
from ..setup.study_parts import StudyParts
from .predictor import OpenedLatency, opened
from .profile import PROFILE_HINT, LatencyProfile


class LatencyProfilePreparation(CostProfile):
    """The profile that budgets in ms are priced with."""

    cost, preparation, stem = LATENCY, "latency_profile", "latency"

    def copy_of(self, config: StudyConfig) -> KeptProfile | None:
        """Return the copy that a configuration names; version 0.1.0 named it in fields of its own."""
        before = KeptProfile(config.latency_profile, config.latency_sha256) if config.latency_profile else None
        return super().copy_of(config) or before

    def find(self, study: StudyParts) -> OpenedLatency:
        """Return the profile that the study's database holds for this machine, or that the user named.

        Raises:
            NoProfile: There is none, or one of another network or device.
        """
        if study.find_profile is None:
            texts = ", ".join(study.config.budgets)
            raise NoProfile(f"budget {texts} needs a latency profile of the device: {PROFILE_HINT}")
        return self._of(study, study.find_profile(study.config))

    def opened(self, study: StudyParts, content: Mapping[str, Any]) -> OpenedLatency:
        """Return the predictor made from a profile's content."""
        return self._of(study, LatencyProfile.from_json(content))

    def _of(self, study: StudyParts, profile: LatencyProfile) -> OpenedLatency:
        config = study.config
        return opened(profile, config.model, dict(config.model_args), config.inputs, str(config.output))


LATENCY_PROFILE = LatencyProfilePreparation()
