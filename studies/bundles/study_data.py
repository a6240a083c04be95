"""The data of a study, as exports need it: training inputs to calibrate with, a test set to measure files on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ...evaluators.measurement import Measurement
from ...gan_models.files.errors import UserError
from ...search.artifacts.study_folder import StudyFolder
from ...search.config import StudyConfig
from ...search.preparations.opened_study import Bench, open_bench
from ...search.trial.quantized import training_inputs
from ..database.reader import StudyRecord
from .format_files import Generate
from .trial_weights import teacher_artifact


class StudyData:
    """The data and encoder of a study, opened when they are first needed.

    Args:
        study: Its record.
        located: Its configuration, with a generator's source where it lies now.
        folder: Its files.
    """

    def __init__(self, study: StudyRecord, located: StudyConfig, folder: StudyFolder) -> None:
        self.study, self.located, self.folder = study, located, folder
        self._bench: Bench | str | None = None

    def calibration(self, name: str) -> Callable[[], Iterator[tuple[Tensor, ...]]]:
        """Return what gives batches of a generator's training inputs, on the CPU.

        When called it raises UserError if the data is not at hand.
        """

        def inputs() -> Iterator[tuple[Tensor, ...]]:
            bench = self._open()
            if isinstance(bench, str):
                raise UserError(f"ranges of activations are calibrated on the study's data, which is needed: {bench}")
            given = training_inputs(replace(bench, device=torch.device("cpu")), name, self.located.seed)
            return (batch if isinstance(batch, tuple) else (batch,) for batch in given)

        return inputs

    def measure(self, name: str) -> Callable[[Generate], list[Measurement]]:
        """Return what gives the quality of a callable in a generator's place; nothing if the data is not at hand."""

        def measurements(generate: Generate) -> list[Measurement]:
            bench = self._open()
            if isinstance(bench, str):
                return []
            return bench.measure_calls(lambda *inputs: generate(*inputs).to(bench.device), name, full=True)

        return measurements

    def _open(self) -> Bench | str:
        """Return the study's live part, or why it is not at hand."""
        if self._bench is None:
            try:
                self._bench = open_bench(self.located, teacher_artifact(self.study, self.folder))
            except (ValueError, RuntimeError, OSError) as error:
                self._bench = " ".join(str(error).split())
        return self._bench
