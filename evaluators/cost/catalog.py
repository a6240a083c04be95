"""The runtimes by name: PyTorch eager and compiled, ONNX Runtime, and those of other packages. Imports no torch."""

from __future__ import annotations

from ...gan_models.files.open_table import OpenTable
from ...gan_models.files.packages import Package
from .runtime import Runtime

_HERE = "ganprune.evaluators.cost"

EAGER = "eager"


RUNTIMES: OpenTable[Runtime] = OpenTable(
    "runtime",
    {
        EAGER: Runtime(
            f"{_HERE}.pytorch:open_eager", "PyTorch", takes="network", needs=(Package("torch"),), gpu=True,
        ),
        "compile": Runtime(
            f"{_HERE}.pytorch:open_compiled", "torch.compile", takes="network", needs=(Package("torch"),), gpu=True,
        ),
        "onnxruntime": Runtime(
            f"{_HERE}.onnx_runtime:open_session",
            "ONNX Runtime",
            needs=(Package("onnxruntime"), Package("onnx")),
            usage=(
                "import onnxruntime  # needs neither ganprune nor PyTorch\n"
                "\n"
                'session = onnxruntime.InferenceSession(str(bundle / "{file}"))\n'
                "named = {{i.name: x.numpy() for i, x in zip(session.get_inputs(), inputs)}}\n"
                "z = session.run(None, named)[0]"
            ),
            operators_of=f"{_HERE}.onnx_runtime:operators",
        ),
        "exported-program": Runtime(
            f"{_HERE}.exported_program:open_program",
            "torch.export",
            needs=(Package("torch"),),
            usage=(
                "import torch  # needs PyTorch, and neither ganprune nor the network's code\n"
                "\n"
                'z = torch.export.load(str(bundle / "{file}")).module()(*inputs).detach().numpy()'
            ),
        ),
    },
    group="ganprune.runtimes",
    row_type=Runtime,
    by_path=True,
)  # fmt: skip
