"""A generator as ncnn's files (`.param` and `.bin`), by pnnx: Android, iOS and small Linux computers."""

from __future__ import annotations

import os
import subprocess
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...groups.surgery import copy_network
from ..exporter import ExportJob, NotConverted, file_input
from ..file_facts import facts_json
from .converter import converting

TITLE = "ncnn"
WEIGHTS = ".bin"
FACTS = "generator-ncnn.json"  # its graph holds no metadata
SECONDS = 600


def write(job: ExportJob, path: Path) -> None:
    """Write a network in float32, for one example at a time; heights and widths are free if the job says so.

    Raises:
        NotConverted: The network cannot be traced, or ncnn has no form for one of its operators.
    """
    network = copy_network(job.model).cpu().float().eval()
    inputs = tuple(file_input(x)[:1] for x in job.inputs)
    name = job.network
    with tempfile.TemporaryDirectory() as folder:
        with converting(name, TITLE), torch.no_grad():
            pnnx: Any = import_module("pnnx")

            traced: Any = torch.jit.trace(network, inputs, check_trace=False)
            traced.save(f"{folder}/network.pt")
            command = [pnnx.EXEC_PATH, "network.pt", f"inputshape={_shapes(inputs)}", "fp16=0", "optlevel=2"]
            if any(job.strides):
                command.append(f"inputshape2={_shapes(_larger(inputs, job.strides))}")
            done = subprocess.run(
                command,
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        graph, weights = Path(folder) / "network.ncnn.param", Path(folder) / "network.ncnn.bin"
        if done.returncode or not (graph.is_file() and weights.is_file()):
            said = " ".join((done.stderr or done.stdout).split())[-200:]
            raise NotConverted(f"{name} cannot be written as {TITLE}: pnnx ended with code {done.returncode}: {said}")
        text = graph.read_text(encoding="utf-8")
        if unknown := _unknown(text):
            raise NotConverted(
                f"{name} cannot be written as {TITLE}: ncnn has no layer for {', '.join(unknown)}; expected operators "
                "that it has. Try another format"
            )
        graph.write_text(_with_sizes(text, inputs, job.strides), encoding="utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not job.alone:
            path.with_name(FACTS).write_text(facts_json(job.facts), encoding="utf-8")
        for content, target in ((weights, path.with_suffix(WEIGHTS)), (graph, path)):
            beside = target.with_name(f".{target.name}.new")
            beside.write_bytes(content.read_bytes())
            os.replace(beside, target)


def _shapes(inputs: tuple[Tensor, ...]) -> str:
    kinds = {torch.float32: "f32", torch.int64: "i64", torch.int32: "i32", torch.uint8: "u8"}
    return ",".join(f"[{','.join(map(str, x.shape))}]{kinds[x.dtype]}" for x in inputs)


def _larger(inputs: tuple[Tensor, ...], strides: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Return inputs of another size, so that pnnx leaves the sides free."""
    found = []
    for x, stride in zip(inputs, strides, strict=True):
        height, width = x.shape[-2:] if stride else (0, 0)
        found.append(torch.zeros(*x.shape[:-2], height + stride, width + 2 * stride, dtype=x.dtype) if stride else x)
    return tuple(found)


def _with_sizes(graph: str, inputs: tuple[Tensor, ...], strides: tuple[int, ...]) -> str:
    """Return a graph whose inputs say their sizes, which ncnn itself does not check: width, height, channels.

    A side that is free is 0.
    """
    lines = []
    for line in graph.splitlines():
        words = line.split()
        if words[:1] == ["Input"]:
            place = int(words[1].removeprefix("in"))
            sides = list(inputs[place].shape[1:])
            if any(strides) and strides[place]:
                sides[-2:] = [0, 0]
            words += [f"{i}={side}" for i, side in enumerate(reversed(sides))]
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def _unknown(graph: str) -> list[str]:
    """Return operators of PyTorch that stand in the graph because ncnn has none for them."""
    layers = [line.split()[0] for line in graph.splitlines()[2:] if line.strip()]
    return sorted({layer for layer in layers if layer.startswith(("aten::", "prim::", "pnnx.", "torch.", "nn.", "F."))})
