"""The int8 files of a study's exports: ranges from training, or calibrated on its data; measured on its test set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ...evaluators.measurement import Measurement
from ...gan_models.files.errors import UserError
from ...gan_models.quantization.calibration import calibrate
from ...gan_models.quantization.settings import Quantisation
from ...search.artifacts.study_folder import StudyFolder
from ...search.config import StudyConfig
from ...search.preparations.opened_study import Bench, open_bench
from ...search.trial.quantized import training_inputs
from ..database.reader import StudyRecord
from .bundle import ONNX, WEIGHTS
from .int8 import CALIBRATED, TRAINED, Generate, Int8Report, write_int8
from .trial_weights import teacher_artifact


class Int8Exports:
    """Makes the int8 files of one study.

    Args:
        study: Its record.
        config: Its configuration.
        located: The same, with a generator's source where it lies now.
        folder: Its files.
        wanted: Whether trials of 32 bits get one too.
    """

    def __init__(
        self, study: StudyRecord, config: StudyConfig, located: StudyConfig, folder: StudyFolder, wanted: bool
    ) -> None:
        self.study, self.config, self.located, self.folder, self.wanted = study, config, located, folder, wanted
        self._bench: Bench | str | None = None

    def writer(
        self, model: nn.Module, name: str, quantised: Quantisation | None
    ) -> Callable[[Path], Int8Report] | None:
        """What writes a generator's int8 file into its bundle; None where there is to be none.

        Args:
            model: The float network.
            name: The generator's name in the task.
            quantised: How it was trained in 8 bits; None for 32.
        """
        # Of a trial trained with the published quantiser only who asks for the file is told that there is none.
        exportable = quantised is not None and quantised.settings.scheme != "published"
        if not (self.wanted or exportable):
            return None
        return lambda folder: self._write(folder, model, name, quantised)

    def _write(self, folder: Path, model: nn.Module, name: str, quantised: Quantisation | None) -> Int8Report:
        bench, origin = self._open(), TRAINED
        if quantised is None:
            if isinstance(bench, str):
                raise UserError(f"ranges of activations are calibrated on the study's data, which is needed: {bench}")
            inputs = training_inputs(replace(bench, device=torch.device("cpu")), name, self.config.seed)
            quantised, origin = calibrate(model.cpu(), self.config.quantisation, inputs), CALIBRATED
        measure = None if isinstance(bench, str) else _measure(bench, name)
        shape = self.config.example_shape()
        return write_int8(folder, model.cpu(), shape, quantised, origin, folder / ONNX, measure)

    def _open(self) -> Bench | str:
        """The study's data and encoder, or why they are not at hand."""
        if self._bench is None:
            try:
                self._bench = open_bench(self.located, teacher_artifact(self.study, self.folder))
            except (ValueError, RuntimeError, OSError) as error:
                self._bench = " ".join(str(error).split())
        return self._bench


def _measure(bench: Bench, name: str) -> Callable[[Generate], list[Measurement]]:
    return lambda generate: bench.measure_calls(lambda *inputs: generate(*inputs).to(bench.device), name, full=True)


def bits_notes(quantised: Quantisation | None) -> tuple[str, ...]:
    """What a user must know of a generator that was trained in fewer bits."""
    if quantised is None:
        return ()
    lines = [
        f"trained and measured in {quantised.settings.bits} bits: the measurements above are of the quantised network; "
        f"{WEIGHTS} and {ONNX} hold the same weights in float32, which score differently"
    ]
    if quantised.settings.scheme == "published":
        lines.append("quantised as GAN Slimming published it, for reproduction: no int8 file can be made of it")
    return tuple(lines)
