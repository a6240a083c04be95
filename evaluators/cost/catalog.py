"""The runtimes by name: PyTorch, ONNX Runtime, those of devices, and those of other packages. Imports no torch."""

from __future__ import annotations

from ...gan_models.files.open_table import OpenTable
from ...gan_models.files.packages import Package
from .runtime import Runtime

_PACKAGE = "ganprune.evaluators.cost"

EAGER = "eager"


RUNTIMES: OpenTable[Runtime] = OpenTable(
    "runtime",
    {
        EAGER: Runtime(
            f"{_PACKAGE}.pytorch:open_eager", "PyTorch", takes="network", needs=(Package("torch"),), gpu=True,
            dtypes=("float32", "float16"),
        ),
        "compile": Runtime(
            f"{_PACKAGE}.pytorch:open_compiled", "torch.compile", takes="network", needs=(Package("torch"),), gpu=True,
            dtypes=("float32", "float16"),
        ),
        "onnxruntime": Runtime(
            f"{_PACKAGE}.onnx_runtime:open_session",
            "ONNX Runtime",
            needs=(Package("onnxruntime"), Package("onnx")),
            usage=(
                "import onnxruntime  # needs neither ganprune nor PyTorch\n"
                "\n"
                'session = onnxruntime.InferenceSession(str(bundle / "{file}"))\n'
                "named = {{i.name: x.numpy() for i, x in zip(session.get_inputs(), inputs)}}\n"
                "z = session.run(None, named)[0]"
            ),
            operators_of=f"{_PACKAGE}.onnx_runtime:operators",
            fallbacks_of=f"{_PACKAGE}.onnx_runtime:fallbacks",
        ),
        "exported-program": Runtime(
            f"{_PACKAGE}.exported_program:open_program",
            "torch.export",
            needs=(Package("torch"),),
            usage=(
                "import torch  # needs PyTorch, and neither ganprune nor the network's code\n"
                "\n"
                'z = torch.export.load(str(bundle / "{file}")).module()(*inputs).detach().numpy()'
            ),
            operators_of=f"{_PACKAGE}.exported_program:operators",
            unpickles=True,
        ),
        "litert": Runtime(
            f"{_PACKAGE}.device_runtimes.litert:open_file",
            "LiteRT",
            needs=(Package("ai_edge_litert", "ai-edge-litert", extra="litert"),),
            usage=(
                "from ai_edge_litert.interpreter import Interpreter  # needs neither ganprune nor PyTorch\n"
                "\n"
                'runner = Interpreter(str(bundle / "{file}")).get_signature_runner()\n'
                "named = {{f'args_{{i}}': x.numpy() for i, x in enumerate(inputs)}}\n"
                'z = runner(**named)["output_0"]'
            ),
            operators_of=f"{_PACKAGE}.device_runtimes.litert:operators",
            fallbacks_of=f"{_PACKAGE}.device_runtimes.litert:fallbacks",
        ),
        "ncnn": Runtime(
            f"{_PACKAGE}.device_runtimes.ncnn:open_file",
            "ncnn",
            needs=(Package("ncnn", extra="ncnn"),),
            usage=(
                "import ncnn  # needs neither ganprune nor PyTorch\n"
                "import numpy\n"
                "\n"
                "net = ncnn.Net()\n"
                "net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False\n"
                'net.load_param(str(bundle / "{file}"))\n'
                'net.load_model(str((bundle / "{file}").with_suffix(".bin")))\n'
                "extractor = net.create_extractor()\n"
                "for i, x in enumerate(inputs):\n"
                '    extractor.input(f"in{{i}}", ncnn.Mat(x[0].numpy()).clone())\n'
                'z = numpy.array(extractor.extract("out0")[1])[None]'
            ),
            operators_of=f"{_PACKAGE}.device_runtimes.ncnn:operators",
            dtypes=("float32", "float16"),
        ),
        "openvino": Runtime(
            f"{_PACKAGE}.device_runtimes.openvino:open_file",
            "OpenVINO",
            needs=(Package("openvino", extra="openvino"),),
            usage=(
                "import openvino  # needs neither ganprune nor PyTorch\n"
                "\n"
                'model = openvino.Core().compile_model(str(bundle / "{file}"), "CPU", '
                '{{"INFERENCE_PRECISION_HINT": "f32"}})\n'
                "z = model([x.numpy() for x in inputs])[0]"
            ),
            operators_of=f"{_PACKAGE}.device_runtimes.openvino:operators",
            fallbacks_of=f"{_PACKAGE}.device_runtimes.openvino:fallbacks",
            dtypes=("float32", "float16"),
        ),
        "coreml": Runtime(
            f"{_PACKAGE}.device_runtimes.core_ml:open_file",
            "Core ML",
            needs=(Package("coremltools", extra="coreml"),),
            only_on="darwin",
        ),
    },
    group="ganprune.runtimes",
    row_type=Runtime,
    by_path=True,
)  # fmt: skip
