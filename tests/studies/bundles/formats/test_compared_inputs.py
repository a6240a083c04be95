"""The inputs that files are compared with their networks on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.bundles import format_files
from ganprune.studies.bundles.format_files import FileDiffers, WantedFormats, check_format, outputs_of, write_formats
from ganprune.studies.bundles.formats.compared_inputs import ComparedInputs, RealInputs
from ganprune.studies.bundles.verify import inputs_in
from PIL import Image

SPEC = InputSpec.parse("3,8,8")
WHITE = RealInputs(("test input of the study", "test inputs of the study"), lambda: (torch.ones(6, 3, 8, 8),))


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Conv2d(3, 3, 3, padding=1).eval()


def test_an_error_on_real_inputs_alone_is_found(tmp_path, monkeypatch):
    """A file that differs on white pictures, which no random example is, is refused when it is made and verified."""
    model = network()
    report = write_formats(tmp_path, model, SPEC, WantedFormats(("onnx",), real=WHITE))["onnx"]
    assert "on 6 test inputs of the study and 5 random inputs" in report.line()
    monkeypatch.setattr(
        format_files, "FileGenerator", lambda *_: WrongOnWhite(lambda *x: outputs_of(model, *x))
    )  # fmt: skip
    write_formats(tmp_path, model, SPEC, WantedFormats(("onnx",)))
    with pytest.raises(FileDiffers, match=r"largest difference 1, allowed"):
        write_formats(tmp_path, model, SPEC, WantedFormats(("onnx",), real=WHITE))
    with pytest.raises(FileDiffers, match=r"largest difference 1, allowed"):
        check_format(tmp_path, model, SPEC, "onnx", report, WHITE)


class WrongOnWhite:
    batch = None

    def __init__(self, run):
        self.run = run

    def __call__(self, x):
        return self.run(x) + float(x.min() == 1)


def test_every_real_input_is_compared_at_the_files_size():
    """Eight at most, in batches of one and four; pictures are resized, labels of pixels stay classes."""
    inputs = InputSpec.parse("image:3,16,16;label:4,16,16")
    labels = torch.randint(4, (9, 8, 8))
    compared = ComparedInputs.of(
        inputs, RealInputs(("input of a", "inputs of a"), lambda: (torch.rand(9, 3, 8, 8), labels))
    )
    real = compared.batches[2:]
    assert [len(x) for x, _ in real] == [1, 4, 3]
    assert {tuple(x.shape[1:]) for x, _ in real} == {(3, 16, 16)}
    assert torch.equal(real[0][1][0, ::2, ::2], labels[0])
    assert compared.text == "8 inputs of a and 5 random inputs"
    assert ComparedInputs.of(inputs, RealInputs(("input of a", "inputs of a"), tuple)).text == "5 random inputs"


def test_inputs_of_a_folder(tmp_path):
    """Pictures of any size are read at the trained one, in the generator's range; latents need none."""
    for i in range(2):
        Image.fromarray(np.full((12, 20, 3), 255 * i, np.uint8)).save(tmp_path / f"{i}.png")
    found = inputs_in(Path(tmp_path), SPEC)
    (x,) = found.read()
    assert x.shape == (2, 3, 8, 8)
    assert (float(x[0].max()), float(x[1].min())) == (-1, 1)
    with pytest.raises(UserError, match="leave out --input"):
        inputs_in(Path(tmp_path), InputSpec.parse("latent:8"))
