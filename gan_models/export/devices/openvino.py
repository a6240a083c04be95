"""A generator as OpenVINO's intermediate representation (`.xml` and `.bin`): Intel processors, graphics and NPUs."""

from __future__ import annotations

import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from ..exporter import ExportJob
from ..program import trace
from .converter import converting

TITLE = "OpenVINO"
WEIGHTS = ".bin"


def write(job: ExportJob, path: Path) -> None:
    """Write a network in float32; batch, heights and widths are free if the job says so.

    Raises:
        NoProgram: `torch.export` cannot trace the network.
        NotConverted: OpenVINO has no form for one of its operators.
    """
    program = trace(job)
    with converting(job.network, TITLE), tempfile.TemporaryDirectory() as folder:
        openvino: Any = import_module("openvino")
        frontend: Any = import_module("openvino.frontend")
        pytorch: Any = import_module("openvino.frontend.pytorch.fx_decoder")
        # Not `openvino.convert_model`: it starts a process that reports its use.
        front = frontend.FrontEndManager().load_by_framework("pytorch")
        decoder = pytorch.TorchFXPythonDecoder.from_exported_program(program)  # held until the end: C++ does not
        model = front.convert(front.load(decoder))
        strides = job.strides or (0,) * len(job.inputs)
        shapes, axes = {}, job.sides or ((2, 3),) * len(job.inputs)
        for place, (x, stride, sides) in enumerate(zip(job.inputs, strides, axes, strict=True)):
            free = {0} if job.free_batch else set()
            free |= set(sides) if stride else set()
            shapes[place] = openvino.PartialShape([-1 if axis in free else size for axis, size in enumerate(x.shape)])
        model.reshape({model.inputs[place]: shape for place, shape in shapes.items()})
        for each, name in zip(model.inputs, job.names, strict=True):
            each.set_names({name})
        model.outputs[0].set_names({job.output})
        for name, value in job.facts.items():
            model.set_rt_info(value, ["ganprune", name.replace(" ", "_")])
        openvino.save_model(model, Path(folder) / "model.xml", compress_to_fp16=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        # The weights first: a graph without them cannot be opened.
        for suffix, target in ((WEIGHTS, path.with_suffix(WEIGHTS)), (".xml", path)):
            beside = target.with_name(f".{target.name}.new")
            beside.write_bytes((Path(folder) / f"model{suffix}").read_bytes())
            os.replace(beside, target)
