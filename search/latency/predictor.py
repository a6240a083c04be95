"""The latency predictor of a study: opened from the profile that its configuration names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ...evaluators.measurement import Measurement
from ...gan_models.costs.cost_form import LATENCY
from ...gan_models.files.kept_copies import located, look_in
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.latency.predictor import LatencyForm
from ...gan_models.networks.specs import InputSpec
from ...gan_models.quantization.settings import FULL_BITS
from ..config import StudyConfig
from .profile import CURE, LatencyProfile, NoProfile, blocks_of, read_profile, write_profile


@dataclass(frozen=True)
class OpenedProfile:
    """A latency profile with the predictor made from it.

    Attributes:
        profile: What was measured.
        form: Latency over all groups of one generator.
    """

    profile: LatencyProfile
    form: LatencyForm

    def of(self, groups: ChannelGroups) -> LatencyForm:
        """The predictor over these groups alone; groups that a study leaves whole stay whole."""
        return self.form.of_groups(groups.names)

    def predicted(self, value: float, bits: int = FULL_BITS) -> Measurement:
        """A predicted latency in ms, named as such."""
        return Measurement(self.profile.name("predicted"), value, "ms", protocol=protocol(self.profile, bits))

    def bits(self, config: StudyConfig) -> tuple[int, ...]:
        """Bits that trials of a study may have where a budget is in ms.

        Raises:
            NoProfile: The study wants 8 bits, which the profile cannot price.
        """
        int8 = self.profile.whole_int8 is not None and config.quantisation.scheme != "published"
        offered = config.bits_offered(int8)
        if 8 in offered and wants_latency(config) and not int8:
            raise NoProfile(
                f"8 bits under a budget in ms need a profile that was measured in 8 bits, with integers to compute on: "
                f"`ganprune profile-device --runtime onnxruntime`; this one is of {self.profile.device.describe()}"
                if config.quantisation.scheme != "published"
                else "8 bits under a budget in ms need the signed quantizer: no int8 file is made of the published one"
            )
        return offered


def protocol(profile: LatencyProfile, bits: int = FULL_BITS) -> str:
    """How a latency was predicted, for its measurement."""
    whole = profile.whole if bits == FULL_BITS else profile.whole_int8
    assert whole is not None
    return (
        f"predicted by the profile of {profile.device.describe()}"
        f"{'' if bits == FULL_BITS else f' in {bits} bits'}; {whole.accuracy.describe()}"
        f"{'' if profile.quiet else '; profiled on a busy machine'}"
    )


def wants_latency(config: StudyConfig) -> bool:
    """Whether a budget of the study is in milliseconds."""
    return LATENCY in config.stated_budgets.costs


def open_latency(config: StudyConfig) -> OpenedProfile | None:
    """The profile that a resolved configuration names; None where no budget is in ms.

    Raises:
        NoProfile: It names none, or one that is not of this network, or not the one the study was made with.
    """
    if not wants_latency(config):
        return None
    if not config.latency_profile:
        raise NoProfile(f"budget {', '.join(config.budgets)} needs a latency profile of the device: {CURE}")
    profile = read_profile(located(config.latency_profile), config.latency_sha256)
    return opened(profile, config.model, dict(config.model_args), config.inputs)


def opened(profile: LatencyProfile, model: str, arguments: dict[str, object], inputs: InputSpec) -> OpenedProfile:
    """A profile opened for a generator. Raises NoProfile where it is of another one."""
    return OpenedProfile(profile, profile.form(blocks_of(model, arguments, inputs, profile.device.batch)))


def with_own_profile(config: StudyConfig, profile: LatencyProfile, folder: Path) -> StudyConfig:
    """The profile is copied to the study's folder, so that workers and a resume need no database and no device."""
    digest = profile.sha256()
    path = folder / f"latency-{digest[:8]}.json"
    if not path.is_file():
        write_profile(profile, path)
    look_in(folder)
    return replace(config, latency_profile=path.name, latency_sha256=digest)
