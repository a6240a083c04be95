"""The profile that prices a cost, opened for one study, and the meter that measures it again.

Importing this module imports no torch, so that another package's row of the costs needs none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...evaluators.measurement import Measurement
from ...gan_models.costs.catalog import cost_of
from ...gan_models.costs.cost_form import CostModel
from ...gan_models.files.errors import UserError
from ...gan_models.files.user_code import load_named
from ...gan_models.quantization.settings import FULL_BITS
from ..config import StudyConfig

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ...gan_models.groups.channel_groups import ChannelGroups


class NoProfile(UserError):
    """An error: no profile fits; one line with what to do."""


class Meter(ABC):
    """A meter of a cost of finished networks, one after the other, after the search."""

    @property
    def batch(self) -> int:
        """Number of images per call of a network."""
        return 1

    def allowing_busy(self) -> Meter:
        """Return the same that measures on a busy machine, and marks the numbers; itself if load does not matter."""
        return self

    @abstractmethod
    def measure(self, network: nn.Module, inputs: tuple[Tensor, ...], int8: bool) -> Measurement:
        """Return the cost of a network, absent, with the reason, if it cannot be measured.

        Args:
            network: A generator with its trained weights, in eval mode.
            inputs: Its inputs [batch, ...].
            int8: True if the network is to run in 8 bits.
        """


class OpenedProfile(ABC):
    """A profile of one cost, opened for a study."""

    @property
    @abstractmethod
    def content(self) -> Mapping[str, Any]:
        """The profile's content as plain JSON, which the study stores and which opens the same profile again."""

    @property
    def runtime(self) -> tuple[str, str]:
        """Name of the runtime that was measured, and its data type; empty if there is none."""
        return "", ""

    @abstractmethod
    def of(self, groups: ChannelGroups) -> CostModel:
        """Return the cost model over these groups of one generator; all other groups stay at full width."""

    @abstractmethod
    def predicted(self, value: float, bits: int = FULL_BITS) -> Measurement:
        """Return a predicted cost as a measurement: the cost's name, with details in brackets if there are any."""

    def bits(self, config: StudyConfig) -> tuple[int, ...]:
        """Return the bits that trials may have under a budget in this cost.

        Raises:
            NoProfile: The profile cannot price the study's bits.
        """
        return config.bits_offered()

    def notes(self, config: StudyConfig) -> list[str]:
        """Return notes on the predictions for the user, one line each."""
        return []

    def fast_multiple(self) -> tuple[int, str]:
        """Return the multiple of channels at which the device is fast (1: none), and the measurements as text."""
        return 1, ""

    def meter(self, device: str, command: str = "") -> Meter | None:
        """Return the meter of finalists, or None. Required if the cost is measured after the search.

        Args:
            device: The study's torch device.
            command: Template of the command that reaches a remote device; empty: this machine.
        """
        return None


class ProfileSource(Protocol):
    """The object that the row of a profiled cost names in `Cost.profile` (`preparations.cost_profile.CostProfile`).

    Attributes:
        preparation: Name of the preparation with a study's copy of the profile.
    """

    preparation: str

    def open(self, study: Any) -> OpenedProfile:
        """Return the profile of a study (`StudyParts`): its own copy, or one that is found for it."""
        ...

    def kept(self, config: StudyConfig, profile: OpenedProfile, folder: Path) -> StudyConfig:
        """Copy a profile to a study's folder of copies; return a configuration that names the copy."""
        ...


def profile_source(cost: str) -> ProfileSource:
    """Return the source of a cost's profile."""
    return load_named(cost_of(cost).profile, "profile of a cost")
