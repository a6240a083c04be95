"""The latency predictor of a study: opened from the profile that its configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...evaluators.measurement import Measurement
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.latency.predictor import LatencyForm
from ...gan_models.networks.specs import InputSpec
from ...gan_models.quantization.settings import FULL_BITS
from ..config import StudyConfig
from ..setup.opened_profile import NoProfile, OpenedProfile
from .finalist_meter import LatencyMeter
from .profile import LatencyProfile, blocks_of


@dataclass(frozen=True)
class OpenedLatency(OpenedProfile):
    """A latency profile with the predictor made from it.

    Attributes:
        profile: What was measured.
        form: Latency over all groups of one generator.
    """

    profile: LatencyProfile
    form: LatencyForm

    @property
    def content(self) -> Mapping[str, Any]:
        """The profile as plain JSON."""
        return self.profile.to_json()

    @property
    def runtime(self) -> tuple[str, str]:
        """Name and data type of the runtime that was measured."""
        return self.profile.device.runtime, self.profile.device.dtype

    def of(self, groups: ChannelGroups) -> LatencyForm:
        """Return the predictor over these groups alone; groups that a study leaves whole stay whole."""
        return self.form.of_groups(groups.names)

    def predicted(self, value: float, bits: int = FULL_BITS) -> Measurement:
        """Return a predicted latency in ms, named as such."""
        return Measurement(self.profile.name("predicted"), value, "ms", protocol=protocol(self.profile, bits))

    def bits(self, config: StudyConfig) -> tuple[int, ...]:
        """Bits that trials of a study may have where a budget is in ms.

        Raises:
            NoProfile: The study wants 8 bits, which the profile cannot price.
        """
        profile = self.profile
        int8 = profile.in_8_bits is not None and config.quantization_settings.scheme != "published"
        if profile.only_8_bits and not config.bits:
            offered = (8,)
        else:
            offered = config.bits_offered(int8)
        if profile.only_8_bits and FULL_BITS in offered:
            raise NoProfile(
                f"trials of 32 bits need a profile of networks in float32 or float16: got that of "
                f"{profile.device.describe()}; expected another. Try `ganprune profile-device --dtype float32,int8`"
            )
        if 8 in offered and not int8:
            raise NoProfile(
                f"8 bits under a budget in ms need a profile that was measured in 8 bits, with integers to compute on: "
                f"`ganprune profile-device --runtime onnxruntime`; this one is of {profile.device.describe()}"
                if config.quantization_settings.scheme != "published"
                else "8 bits under a budget in ms need the signed quantizer: no int8 file is made of the published one"
            )
        return offered

    def notes(self, config: StudyConfig) -> list[str]:
        """Return how well latency is predicted, and the multiple that the device likes."""
        profile = self.profile
        notes = [
            f"latency is predicted for {profile.device.describe()} (profile {profile.device.id}): "
            f"{profile.whole.accuracy.describe()}; finalists are measured after the search"
        ]
        if profile.multiple > 1 and config.channel_multiple % profile.multiple:
            notes.append(
                f"this device is as fast at widths rounded up to multiples of {profile.multiple}: "
                f"--channel-multiple {profile.multiple} gives more channels in the same time"
            )
        return notes

    def fast_multiple(self) -> tuple[int, str]:
        """Return the largest multiple that widths are rounded up to for nothing, and what each candidate costs."""
        return self.profile.multiple, self.profile.multiples_text

    def meter(self, device: str, command: str = "") -> LatencyMeter:
        """Return what times networks alone on the profile's device."""
        return LatencyMeter.of(self.profile, device, command)


def protocol(profile: LatencyProfile, bits: int = FULL_BITS) -> str:
    """Return the protocol of a predicted latency, for its measurement."""
    whole = profile.whole if bits == FULL_BITS else profile.in_8_bits
    assert whole is not None
    said = "" if bits == FULL_BITS or profile.only_8_bits else f" in {bits} bits"
    return (
        f"predicted by the profile of {profile.device.describe()}{said}; {whole.accuracy.describe()}"
        f"{'' if profile.quiet else '; profiled on a busy machine'}"
    )


def opened(
    profile: LatencyProfile, model: str, arguments: dict[str, object], inputs: InputSpec, output: str = ""
) -> OpenedLatency:
    """Return a profile opened for a generator.

    Raises:
        NoProfile: It is of another one.
    """
    return OpenedLatency(profile, profile.form(blocks_of(model, arguments, inputs, profile.device.batch, output)))
