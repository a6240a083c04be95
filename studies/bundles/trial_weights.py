"""The pruned generator of one trial, checked against its record, or with weights that were trained on elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from ...gan_models.checkpoints.checkpoint import load_into
from ...gan_models.checkpoints.state_dicts import located
from ...gan_models.files.atomic_files import read_json
from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.hashes import file_sha256
from ...gan_models.files.kept_copies import look_in
from ...gan_models.files.plain_values import from_json
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.groups.surgery import cut
from ...gan_models.quantization.settings import FULL_BITS, Quantization
from ...search.artifacts.study_folder import StudyFolder
from ...search.config import StudyConfig
from ...search.preparations.opened_study import OpenedStudy, open_study
from ...search.preparations.teacher import TEACHER as TEACHER_FILE
from ...search.preparations.teacher import artifacts_of_teacher
from ...search.records.ledger import TrialRecord
from ...search.records.prepared_artifact import Prepared, PreparedArtifact
from ...search.records.teacher_artifact import TeacherArtifact
from ...search.setup.resolve import resolve
from ...search.setup.weight_files import named_files
from ...search.trial.quantized import read_quantizations
from ..database.reader import StudyRecord
from ..results.outcome import PREPARED_KEY, TEACHER, Outcome


class ArtifactError(WorkFailed):
    """A trial's files are missing, or not those that its record names."""


def open_recorded(outcome: Outcome, folder: StudyFolder, device: str = "") -> OpenedStudy:
    """Return a study's live part with its teacher; a study of version 0.1.0 is resolved now.

    Args:
        outcome: The study's record.
        folder: Its files.
        device: Where networks run; empty: as the study says.

    Raises:
        ArtifactError: The study has no teacher yet.
        UserError: Data, network or weights are not available.
    """
    made = (outcome.study.attributes.get(TEACHER) or {}).get("sha256")
    given_alone = outcome.config.teacher and not made  # as after a forecast, before any training
    prepared = Prepared() if given_alone else prepared_of(outcome.study, folder)
    look_in(folder.source)
    config = replace(outcome.config, device=device or outcome.config.device)
    if outcome.resolved is not None:
        return open_study(replace(outcome.resolved, config=config), prepared)
    resolved, parts = resolve(config, check_teacher=False)
    return open_study(resolved, prepared, parts)


def trial_generator(
    config: StudyConfig, folder: StudyFolder, trial: TrialRecord, full: nn.Module, groups: ChannelGroups
) -> tuple[nn.Module, ChannelPlan]:
    """Return a trial's generator, in eval mode on the CPU, and its plan.

    Args:
        config: The study's configuration as recorded.
        folder: The study's files.
        trial: A trial with an artifact.
        full: The generator at full width; not changed.
        groups: Its groups.

    Raises:
        ArtifactError: Files are missing, or the weights' sha256 or the plan's hash is not the record's.
    """
    ended = trial.ended()
    artifact = ended.artifact
    if artifact is None or not artifact.plan:
        raise ArtifactError(f"trial {trial.number} of study {folder.study} kept no weights")
    weights, plan_file = (_inside(folder, name) for name in (artifact.path, artifact.plan))
    for path in (weights, plan_file):
        if not path.is_file():
            raise ArtifactError(f"trial {trial.number}: {path} is missing; put it back, or give --artifacts")
    if file_sha256(weights) != artifact.sha256:
        raise ArtifactError(f"trial {trial.number}: {weights} is not the file in the record (its sha256 differs)")
    try:
        plan = ChannelPlan.from_json(read_json(plan_file) or {})
        bits = FULL_BITS if ended.quantized is None else ended.quantized.bits
        same = plan.architecture(config.model_name, config.model_args, bits) == ended.architecture
        if not same:
            raise ArtifactError(f"trial {trial.number}: {plan_file} is not the plan in the record (its hash differs)")
        small = cut(full, groups, plan)
        load_into(small, weights)
    except ValueError as error:
        raise ArtifactError(f"trial {trial.number} cannot be rebuilt: {error}") from error
    return small.eval(), plan


def trial_quantizations(folder: StudyFolder, trial: TrialRecord) -> dict[str, Quantization]:
    """Return the quantization of a trial's generators by name; empty for one of 32 bits.

    Raises:
        ArtifactError: The file is missing, or not that of the record.
    """
    artifact = trial.ended().artifact
    if artifact is None or not artifact.quantization:
        return {}
    path = _inside(folder, artifact.quantization)
    if not path.is_file():
        raise ArtifactError(f"trial {trial.number}: {path} is missing; put it back, or give --artifacts")
    if file_sha256(path) != artifact.quantization_sha256:
        raise ArtifactError(f"trial {trial.number}: {path} is not the file in the record (its sha256 differs)")
    try:
        return read_quantizations(read_json(path) or {})
    except ValueError as error:
        raise ArtifactError(f"trial {trial.number}: {path} cannot be read: {error}") from error


@dataclass(frozen=True)
class OwnWeights:
    """The weights of one generator.

    Attributes:
        file: Path of the weights; may end in `::key`.
    """

    file: Path

    @property
    def path(self) -> Path:
        """The file without a key."""
        return located(self.file)[0]

    def load(self, model: nn.Module, trial: int) -> None:
        """Load the weights into a trial's network.

        Raises:
            UserError: They do not fit this network, or are not finite.
        """
        try:
            load_into(model, self.file)
        except UserError as error:
            raise UserError(
                f"weights do not fit trial {trial}: {error}. Try the state dict of the network that `ganprune export` "
                "gave for this very trial"
            ) from error

    def lineage(self) -> dict[str, Any]:
        """Return the lineage of the weights for a card."""
        return {"weights": self.path.name, "weights_sha256": file_sha256(self.path), "weights_trained": "elsewhere"}

    def note(self, trial: int, measured: bool) -> str:
        """Return the note for users of the bundle.

        Args:
            trial: The trial whose network it is.
            measured: The study's data was available.
        """
        known = "measured anew" if measured else "not measured, because the study's data is not available"
        return (
            f"the weights are those of {self.path.name}, trained elsewhere from the network of trial {trial}; its "
            f"quality was {known}, and what the study recorded of the trial does not hold for them"
        )


def own_weights(text: str, names: tuple[str, ...]) -> dict[str, OwnWeights]:
    """Return weights by generator.

    Args:
        text: `FILE`, or `AtoB=FILE,BtoA=FILE` if a trial pruned two generators.
        names: The generators of a trial.

    Raises:
        UserError: The text does not name one file per generator.
    """
    found = named_files(text, names)
    if len(names) == 1 and "" in found:
        found = {names[0]: found[""]}
    if found and set(found) != set(names):
        form = ",".join(f"{name}=FILE" for name in names)
        raise UserError(f"weights are needed for each generator: got {text!r}; expected {form}. Try --weights {form}")
    return {name: OwnWeights(Path(path)) for name, path in found.items()}


def prepared_of(study: StudyRecord, folder: StudyFolder) -> Prepared:
    """Return what is prepared of a study as `open_study` takes it; found again if the artifacts were moved.

    Version 0.1.0 recorded the teacher alone: what was made with it is then named by the teacher's own record.

    Raises:
        ArtifactError: The study has no teacher yet.
        TeacherChanged: There is only the teacher's own record, and it is not the one of the study.
    """
    teacher = from_json(TeacherArtifact, study.attributes.get(TEACHER) or {})
    if not teacher.sha256:
        raise ArtifactError(f"study {study.name} has no teacher yet; `ganprune resume {study.name}` makes it")
    own = folder.teacher if (folder.teacher / TEACHER_FILE).is_file() else Path(teacher.path)
    recorded = study.attributes.get(PREPARED_KEY)
    artifacts = from_json(dict[str, PreparedArtifact], recorded) if recorded else artifacts_of_teacher(own, teacher)
    return Prepared(str(own.parent), artifacts)


def _inside(folder: StudyFolder, relative: str) -> Path:
    path = (folder.path / relative).resolve()
    if not path.is_relative_to(folder.path.resolve()):
        raise ArtifactError(f"the record names {relative!r}, which is outside the study's folder {folder.path}")
    return path
