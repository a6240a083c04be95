"""Files that take and give pictures as bytes."""

import numpy as np
import pytest
import torch
from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.gan_models.export.catalog import EXPORTERS
from ganprune.gan_models.export.file_options import FileOptions
from ganprune.gan_models.export.pictures.pixels import PixelForm
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.studies.bundles.format_files import FileDiffers, WantedFormats, check_format, opener, write_formats

SPEC = InputSpec.parse("3,8,8@0,1")
GIVES = OutputSpec(3, (16, 16), scale=(2, 1))  # in [-1, 1]


class Doubled(torch.nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = torch.nn.Conv2d(3, 12, 3, padding=1)

    def forward(self, x):
        return 1.5 * torch.tanh(6 * torch.nn.functional.pixel_shuffle(self.conv(x), 2))


def written(folder, name, model=None):
    wanted = WantedFormats((name,), options=FileOptions(uint8=True))
    return write_formats(folder, model or Doubled().eval(), SPEC, wanted, gives=GIVES)[name]


@pytest.mark.parametrize("name", [name for name in EXPORTERS.own if not EXPORTERS[name].no_bytes])
def test_a_file_of_bytes_gives_the_networks_bytes(name, tmp_path):
    """Pictures in and out are uint8 (N, H, W, C); each byte is the network's, or the next one."""
    row = EXPORTERS[name]
    if missing := [each.name for each in (*row.needs, *RUNTIMES[row.runtime].needs) if not each.installed()]:
        pytest.skip(f"format {name} needs {', '.join(missing)}")
    report = written(tmp_path, name)
    assert report.uint8
    assert report.difference <= report.allowed < 0.008
    picture = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)
    (found, *_) = opener(row).open(tmp_path / report.file)(picture)
    with torch.no_grad():
        own = Doubled().eval()(torch.from_numpy(picture).permute(0, 3, 1, 2) / 255)
    expected = ((own + 1) * 127.5).clamp(0, 255).round().permute(0, 2, 3, 1)
    assert found.dtype == np.uint8
    assert found.shape == (1, 16, 16, 3)
    assert np.abs(found - expected.numpy()).max() <= 1
    assert {0, 255} <= set(found.ravel().tolist())  # 1.5 tanh leaves the range, which is clipped
    assert row.free_batch == any("multiples of 1" in note for note in report.notes)
    other = Doubled(1).eval()
    assert name in EXPORTERS
    with pytest.raises(FileDiffers, match="largest difference"):
        check_format(tmp_path, other, SPEC, name, report, bounds=(-1, 1))


@pytest.mark.parametrize("name", [name for name in EXPORTERS.own if EXPORTERS[name].no_bytes])
def test_a_format_without_bytes_says_why(name, tmp_path):
    """Its absence is a line, and other formats are written."""
    wanted = WantedFormats(("onnx", name), options=FileOptions(uint8=True))
    reports = write_formats(tmp_path, Doubled().eval(), SPEC, wanted, gives=GIVES)
    assert "do not take bytes: " in reports[name].absent
    assert reports["onnx"].uint8


def test_bytes_stand_for_values_of_the_generators_ranges():
    """Snapped values are those of bytes; an output that is no picture is refused."""
    form = PixelForm(SPEC, (-1, 1))
    x = torch.rand(2, 3, 4, 4)
    (snapped,) = form.snapped((x,))
    assert (snapped - x).abs().max() <= 0.5 / 255 + 1e-6
    assert torch.equal(form.bytes_of((snapped,))[0], form.bytes_of((x,))[0])
    assert form.bytes_of((x,))[0].shape == (2, 4, 4, 3)
    with pytest.raises(UserError, match="bytes are for pictures: got an output of shape"):
        form.check(torch.zeros(2, 5))


def test_latents_stay_numbers():
    """The output alone of a generator of latents is bytes."""
    form = PixelForm(InputSpec.parse("latent:4"), (-1, 1))
    z = torch.randn(2, 4)
    assert torch.equal(form.bytes_of((z,))[0], z)
