"""The data as a value: forms of pictures, sizes before the crop, crops across a scale."""

import pytest
import torch
from ganprune.gan_models.data.dataset import Draw, ImageSet
from ganprune.gan_models.data.image_readers import ArrayPictures
from ganprune.gan_models.data.spec import DataSpec, PictureForm
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from hypothesis import given
from hypothesis import strategies as st

from ...data_specs import square


def translation(inputs: str, output: PictureForm, **more) -> DataSpec:
    return DataSpec("builtin:shapes", "paired", InputSpec.parse(inputs), output, **more)


def test_a_form_is_that_of_an_input_or_an_output():
    """Channels, height, width and color; a mask is gray."""
    inputs = InputSpec.parse("lightness:1,16,32;mask:1,8,8").inputs
    assert PictureForm.of(inputs[0]) == PictureForm(1, 16, 32, "lightness")
    assert PictureForm.of(inputs[1]) == PictureForm(1, 8, 8, "gray")
    assert PictureForm.of(OutputSpec(2, (16, 32), color="ab")) == PictureForm(2, 16, 32, "ab")
    with pytest.raises(UserError, match="no color 'ab'; expected rgb"):
        PictureForm(3, 8, 8, "ab")


def test_the_data_is_plain_json():
    """All fields are kept, sizes of both sides and settings too."""
    spec = translation("3,16,32", PictureForm(1, 32, 64), load_size=20, settings={"scale": 2})
    assert from_json(DataSpec, to_json(spec)) == spec
    assert (spec.input, spec.pictures) == (PictureForm(3, 16, 32), (PictureForm(3, 16, 32),))
    assert translation("latent:8", PictureForm(1, 32, 64)).input == PictureForm(1, 32, 64)


def test_training_images_are_larger_before_the_crop():
    """The shorter side has the load size, the other its ratio; parts of an entry keep their scale."""
    spec = translation("3,256,512", PictureForm(3, 512, 1024), load_size=286)
    assert [form.size for form in spec.loaded("train", spec.input, spec.output)] == [(286, 572), (572, 1144)]
    assert spec.loaded("test", spec.input) == (spec.input,)
    both = translation("3,256,512", PictureForm(3, 512, 1024), load_size="300x512")
    assert [form.size for form in both.loaded("train", both.input, both.output)] == [(300, 512), (600, 1024)]
    with pytest.raises(UserError, match=r"load size: got 300x500; expected 256x512 \(the image size\) to 8192"):
        translation("3,256,512", PictureForm(3, 256, 512), load_size="300x500")
    assert square("builtin:shapes", "paired", 256, load_size=286).loaded("train", PictureForm(3, 256, 256)) == (
        PictureForm(3, 286, 286),
    )


@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 12),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 2**31),
)
def test_crops_begin_at_the_same_place_across_a_scale(low, high, unit, more_high, more_wide, number):
    """Crops of a small and a large picture of one scene show the same part, for any ratio and draw."""
    sizes = [((unit + 7) * n, (unit + 9) * n) for n in (low, high)]
    whole = [((unit + 7 + more_high) * n, (unit + 9 + more_wide) * n) for n in (low, high)]
    grids = []
    for n, (height, width) in zip((low, high), whole, strict=True):
        rows = torch.arange(height).div(n)[:, None].expand(height, width)
        columns = torch.arange(width).div(n)[None].expand(height, width)
        grids.append(torch.stack([rows, columns, rows])[None])
    spec = square("builtin:shapes", "paired", 16, flip=False)
    forms = [PictureForm(3, *size) for size in sizes]
    images = ImageSet(spec, {"pairs": ArrayPictures(*grids)}, lambda *_: {})
    for draw in (None, number):
        small, large = ((part + 1) * 127.5 for part in images.read("pairs", 0, draw, *forms))
        assert [x.shape[1:] for x in (small, large)] == [torch.Size(size) for size in sizes]
        assert torch.allclose(small[:, 0, 0], large[:, 0, 0], atol=1e-3)


def test_an_image_that_is_smaller_than_its_form_is_an_error():
    """Nothing is padded."""
    images = ImageSet(
        square("builtin:shapes", "paired", 16), {"pairs": ArrayPictures(torch.zeros(1, 3, 12, 20))}, lambda *_: {}
    )
    with pytest.raises(ValueError, match=r"got \[12\] pixels along an axis; expected at least \[16\]"):
        images.read("pairs", 0, None)


def test_parts_of_an_entry_are_mirrored_alike():
    """With the flip on, some draws mirror both and no draw mirrors one."""
    ramp = torch.arange(16.0).expand(1, 3, 16, 16)
    spec = square("builtin:shapes", "paired", 16)
    images = ImageSet(spec, {"pairs": ArrayPictures(ramp, ramp)}, lambda images, i, n: dict(
        zip("ab", images.read("pairs", i, n), strict=True)
    ))  # fmt: skip
    seen = set()
    for number in range(40):
        item = images[Draw(0, number)]
        assert torch.equal(item["a"], item["b"])
        seen.add(float(item["a"][0, 0, 0]))
    assert len(seen) == 2
