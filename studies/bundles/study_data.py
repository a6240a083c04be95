"""The data of a study, as exports need it: training inputs to calibrate with, a test set to measure files on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ...evaluators.measurement import Measurement
from ...gan_models.files.errors import UserError
from ...gan_models.networks.value_ranges import USUAL_RANGE, own_values, translate
from ...search.artifacts.study_folder import StudyFolder
from ...search.preparations.opened_study import OpenedStudy
from ...search.preparations.quality import StudyQuality
from ...search.records.ledger import TrialRecord
from ...search.trial.quantized import training_inputs
from ...search.trial.tested import measured_on_test
from ..results.outcome import Outcome
from .format_files import Generate
from .formats.compared_inputs import N_REAL, RealInputs
from .trial_weights import open_recorded


class StudyData:
    """The data and encoder of a study, opened when they are first needed.

    Args:
        outcome: Its record.
        folder: Its files.
    """

    def __init__(self, outcome: Outcome, folder: StudyFolder) -> None:
        self.outcome, self.folder = outcome, folder
        self._opened: OpenedStudy | str | None = None

    def calibration(self, name: str) -> Callable[[], Iterator[tuple[Tensor, ...]]]:
        """Return what gives batches of a generator's training inputs, on the CPU, as its own code takes them.

        When called it raises UserError if the data is not available.
        """

        def inputs() -> Iterator[tuple[Tensor, ...]]:
            study = self._open()
            if isinstance(study, str):
                raise UserError(f"ranges of activations are calibrated on the study's data, which is needed: {study}")
            batches = training_inputs(study, name, study.config.seed, torch.device("cpu"))
            return (own_values(batch, study.config.own_inputs) for batch in batches)

        return inputs

    def real(self, name: str) -> RealInputs:
        """Return inputs of the test split, to compare a generator's files on; none if the data is not available."""
        found: list[tuple[Tensor, ...]] = []

        def read() -> tuple[Tensor, ...]:
            if not found:
                study = self._open()
                if isinstance(study, str):
                    return ()
                try:
                    example = StudyQuality(study, {}, "test").example(name).first(N_REAL, torch.device("cpu"))
                except UserError:  # the images are gone; the card's note on the test split gives the reason
                    return ()
                found.append(own_values(example.inputs, study.config.own_inputs))
            return found[0]

        return RealInputs(("test input of the study", "test inputs of the study"), read)

    def measure(self, name: str) -> Callable[[Generate], list[Measurement]]:
        """Return what gives the quality of a callable in a generator's place; nothing if the data is not available.

        The callable takes and gives the values of the generator's own code.
        """

        def measurements(generate: Generate) -> list[Measurement]:
            study = self._open()
            if isinstance(study, str):
                return []
            inputs, given = study.config.own_inputs, study.config.value_ranges.given

            def images(*values: Tensor) -> Tensor:
                return translate(generate(*own_values(values, inputs)), given, USUAL_RANGE).to(study.device)

            return study.test_quality.measure_calls(images, name, full=True)

        return measurements

    def on_test(self, trial: TrialRecord) -> tuple[Measurement, ...]:
        """Return what is measured of a trial on the test split, the quality first; absent with the reason if not."""
        study, artifact = self._open(), trial.ended().artifact
        try:
            if isinstance(study, str) or artifact is None:
                raise UserError(str(study))
            return tuple(measured_on_test(study, self.folder.path, artifact))
        except (ValueError, RuntimeError, OSError) as error:
            return (Measurement.absent(self.outcome.metric, "1", " ".join(str(error).split())[:300]),)

    def _open(self) -> OpenedStudy | str:
        """Return the study's live part, or why it is not available."""
        if self._opened is None:
            try:
                self._opened = open_recorded(self.outcome, self.folder)
            except (ValueError, RuntimeError, OSError) as error:
                self._opened = " ".join(str(error).split())
        return self._opened
