"""A table of export formats by catalog networks: largest difference from PyTorch, size, latency; `make test-runtimes`.

Every network is small and has weights that make its outputs far from zero. The exit code is 1 if a float32 file that can
be run here is missing or differs by more than 1e-4.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from ganprune.gan_models.export.catalog import EXPORTERS, check_formats
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.bundles.card import FormatReport
from ganprune.studies.bundles.format_files import FileGenerator, WantedFormats, outputs_of, speed_beside, write_formats
from torch import nn

LARGEST = 1e-4  # of float32 files, relative to the largest output
NETWORKS = {
    "resnet": ("resnet", {"ngf": 8, "n_blocks": 2}, "3,64,64"),
    "resnet batch": ("resnet", {"ngf": 8, "n_blocks": 2, "norm": "batch"}, "3,64,64"),
    "unet": ("unet", {"ngf": 8, "num_downs": 6}, "3,64,64"),
    "unet instance": ("unet", {"ngf": 8, "num_downs": 5, "norm": "instance"}, "3,64,64"),
    "mobile resnet": ("mobile_resnet_9blocks", {"ngf": 8, "n_blocks": 2}, "3,64,64"),
    "sngan": ("sngan_32", {"ngf": 16}, "latent:128"),
    "compact": ("srvgg_compact", {"num_feat": 16, "num_conv": 4}, "3,32,32@0,1"),
    "rrdb": ("rrdbnet", {"num_feat": 16, "num_block": 1, "num_grow_ch": 8}, "3,32,32@0,1"),
    "rrdb x2": ("rrdbnet", {"scale": 2, "num_feat": 16, "num_block": 1, "num_grow_ch": 8}, "3,32,32@0,1"),
    "srresnet": ("srresnet", {"num_feat": 16, "num_block": 2}, "3,32,32@0,1"),
}  # fmt: skip


def network(name: str) -> tuple[nn.Module, InputSpec]:
    """Return a network whose outputs are far from zero, and its inputs."""
    model, arguments, inputs = NETWORKS[name]
    torch.manual_seed(0)
    made = build(model, arguments).eval()
    for module in made.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, 0, 0.1)
    return made, InputSpec.parse(inputs)


def row(name: str, formats: Sequence[str]) -> list[tuple[str, FormatReport, float]]:
    """Return each format's report, and the median milliseconds of one input in it."""
    made, inputs = network(name)
    found = []
    for format in formats:
        with tempfile.TemporaryDirectory() as folder:
            try:
                report = write_formats(Path(folder), made, inputs, WantedFormats((format,)))[format]
            except (RuntimeError, ValueError) as error:
                report = FormatReport(EXPORTERS[format].title, absent=" ".join(str(error).split()))
            ms = float("nan")
            if report.difference is not None:
                run = FileGenerator(EXPORTERS[format], Path(folder) / report.file)
                example = inputs.examples(1)
                ms = speed_beside("", lambda *x: outputs_of(made, *x), run, example, report.runtime).ms
            found.append((format, report, ms))
    return found


def main(asked: Sequence[str]) -> int:
    """Print the table; return the number of files that are not what they should be."""
    formats = check_formats(asked) if asked else tuple(name for name in EXPORTERS.own)
    print(f"{'network':14}" + "".join(f"{name:>30}" for name in formats))
    faults, reasons = 0, []
    for name in NETWORKS:
        cells = []
        for format, report, ms in row(name, formats):
            exact = EXPORTERS[format].dtype == "float32"
            if report.absent:
                cells.append("-")
                reasons.append(f"{name}, {format}: {report.absent}")
                faults += exact
            elif report.difference is None:
                cells.append(f"converted, {report.bytes / 1000:.0f} kB")
            else:
                scale = 1.0 if report.allowed is None else report.allowed / (EXPORTERS[format].tolerance or 1)
                faults += exact and not report.difference <= LARGEST * scale
                free = " free" if any("multiples" in note for note in report.notes) else ""
                cells.append(f"{report.difference:.1e} {report.bytes / 1000:.0f} kB {ms:.2f} ms{free}")
        print(f"{name:14}" + "".join(f"{cell:>30}" for cell in cells), flush=True)
    for reason in reasons:
        print(reason)
    print(f"{faults} float32 files are missing or differ by more than {LARGEST:g}")
    return faults


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
