"""Files whose pictures may have any size: when one is written, and what ends the attempt."""

from dataclasses import replace

import pytest
from ganprune.gan_models.export.catalog import EXPORTERS
from ganprune.gan_models.export.exporter import Exporter, ExportJob
from ganprune.gan_models.files.errors import WorkFailed
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.bundles import format_files
from ganprune.studies.bundles.format_files import _written_of_any_size
from torch import nn

INPUTS = InputSpec.parse("3,8,8")


def written(monkeypatch, tmp_path, tolerance: float | None, error: float, raised: Exception | None = None):
    """Return the notes of an exporter whose file is wrong by `error`, or that raises."""
    model = nn.Conv2d(3, 3, 3, padding=1)

    def write(self, job, path):
        if raised is not None:
            raise raised
        return ("written",)

    monkeypatch.setattr(Exporter, "write", write)
    monkeypatch.setattr(
        format_files, "FileGenerator", lambda *_: lambda *inputs: format_files.outputs_of(model, *inputs) + error
    )
    exporter = replace(EXPORTERS.find("onnx"), tolerance=tolerance)
    return _written_of_any_size(exporter, ExportJob(model, INPUTS.examples(2)), tmp_path, INPUTS)


@pytest.mark.parametrize(
    ("tolerance", "error", "there"),
    [(0.0, 0.0, True), (0.0, 1e-3, False), (1e-2, 1e-3, True), (1e-4, 1e-3, False), (None, 1.0, True)],
)
def test_a_file_of_any_size_gives_the_outputs_of_the_network_at_another_size(
    monkeypatch, tmp_path, tolerance, error, there
):
    """A tolerance of 0 allows no difference, and none at all allows every one."""
    assert (written(monkeypatch, tmp_path, tolerance, error) is not None) == there


def test_a_format_that_cannot_say_free_sizes_is_written_at_the_trained_one(monkeypatch, tmp_path):
    """The exporter says so; any other exception is a fault that is not hidden."""
    assert written(monkeypatch, tmp_path, 0.0, 0.0, WorkFailed("no such form")) is None
    with pytest.raises(RuntimeError, match="ours"):
        written(monkeypatch, tmp_path, 0.0, 0.0, RuntimeError("ours"))
