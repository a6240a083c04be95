"""Every row of the runtimes opens a generator of two inputs and gives its outputs; what is missing is one line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.evaluators.cost.runtime import RuntimeUnavailable, bound
from ganprune.gan_models.export.catalog import EXPORTERS, format_run_by, latency_writer
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.packages import Package, PackageMissing
from torch import nn

from ...fakes.two_inputs import inputs, network


def source(name: str, folder):
    """Return the source of a runtime: the network, or its file in the format that it runs."""
    if RUNTIMES[name].takes == "network":
        return network()
    written = format_run_by(name)
    assert written is not None
    exporter = EXPORTERS[written]
    needs = [package.name for package in (*exporter.needs, *RUNTIMES[name].needs) if not package.installed()]
    if needs or not RUNTIMES[name].runs_here:
        pytest.skip(f"runtime {name} needs {', '.join(needs) or RUNTIMES[name].only_on}")
    path = folder / f"network{Path(exporter.filename).suffix}"
    latency_writer(written)(network(), inputs(batch(written)), path)
    return path


def batch(format: str) -> int:
    """The examples at once: two if files of the format take more than one."""
    return 2 if EXPORTERS[format].free_batch else 1


def compiles() -> bool:
    try:
        RUNTIMES["compile"].open(nn.Identity())(np.zeros((1, 1), np.float32))
    except RuntimeUnavailable:
        return False
    return True


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name == "compile" else name for name in RUNTIMES]
)
def test_every_runtime_gives_pytorchs_outputs(name, tmp_path):
    """Opened by the table's one way, it takes an array per input and gives arrays within 1e-5 of PyTorch's."""
    if name == "compile" and not compiles():
        pytest.skip("torch.compile does not work here")
    threads = torch.get_num_threads()
    given = source(name, tmp_path)
    session = RUNTIMES[name].open(given, threads=1)
    n = getattr(session, "batch", None) or 2
    arrays = tuple(x.numpy() for x in inputs(n))
    found = session(*arrays)
    with torch.no_grad():
        expected = network()(*inputs(n)).numpy()
    assert len(found) == 1
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    call = bound(session, *arrays)
    call()
    assert torch.get_num_threads() == threads
    if RUNTIMES[name].operators_of:
        assert sum(RUNTIMES[name].operators(given).values()) > 0


@pytest.mark.parametrize("name", list(RUNTIMES))
def test_a_missing_package_is_one_line_with_the_command(name):
    """A runtime whose package is not installed names the command that installs it, before anything is opened."""
    row = replace(RUNTIMES[name], only_on="", needs=(Package("nosuchpackage", "no-such-package"),))
    with pytest.raises(PackageMissing, match="no-such-package, which is not installed; pip install no-such-package"):
        row.open("nowhere")


@pytest.mark.parametrize("name", [name for name in RUNTIMES if RUNTIMES[name].takes == "file"])
def test_a_file_that_is_none_is_one_line(name, tmp_path):
    """A damaged file, and inputs of other sizes, are one line that names the file."""
    whole = source(name, tmp_path)
    (tmp_path / "broken").write_bytes(b"nothing")
    with pytest.raises(RuntimeUnavailable, match="broken") as caught:
        RUNTIMES[name].open(tmp_path / "broken")
    assert "\n" not in str(caught.value)
    session = RUNTIMES[name].open(whole)
    n = getattr(session, "batch", None) or 2
    with pytest.raises(RuntimeUnavailable, match=whole.name):
        session(*(x.numpy()[..., :4] for x in inputs(n)))


def test_an_object_that_is_no_runtime_is_refused():
    """By path only a Runtime is taken; an unknown name proposes those there are."""
    with pytest.raises(UserError, match="is a type; expected a Runtime"):
        RUNTIMES.find("torch.nn:Conv2d")
    with pytest.raises(UserError, match=r"unknown runtime 'onnxruntme'; .*Did you mean onnxruntime\?"):
        RUNTIMES.find("onnxruntme")
