"""A generator as a LiteRT file (`.tflite`), by litert-torch: Android, microcontrollers, web pages."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from ...files.atomic_files import written_beside
from ...groups.surgery import copy_network
from ..exporter import ExportJob, file_input
from ..file_facts import append_facts
from .converter import converting

TITLE = "LiteRT"


def write(job: ExportJob, path: Path) -> None:
    """Write a network in float32, for one example at a time of exactly the inputs' sizes.

    Raises:
        NotConverted: LiteRT has no form for one of its operators.
    """
    network = copy_network(job.model).cpu().float().eval()
    inputs = tuple(file_input(x)[:1] for x in job.inputs)
    # litert-torch ships unused adapters of other frameworks; their log lines are no news of this file.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with converting(job.network, TITLE), written_beside(path) as beside:
        converter: Any = import_module("litert_torch")

        converter.convert(network, inputs).export(str(beside))
        if job.facts:
            append_facts(beside, job.facts)
