"""Specifications of what generators take: texts, JSON, examples."""

import subprocess
import sys

import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.networks.specs import Input, InputSpec

TEXTS = [
    "3,256,256",
    "latent:128",
    "image=image:3,64,64;mask=mask:1,64,64",
    "photo=image:3,64,64;style=latent:64;breed=label:10",
    "style=latent:8",
    "vector:4",
    "sound=audio:1,16000",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_and_json_give_the_same_specification_again(text):
    """A specification is the one that its own text, and its own JSON, are read as."""
    spec = InputSpec.parse(text)
    assert InputSpec.parse(spec.text) == spec
    assert spec.text == text
    assert from_json(InputSpec, to_json(spec)) == spec
    assert InputSpec.read(to_json(spec)) == spec


def test_inputs_without_names_are_called_by_their_kind():
    """One input is `input`; of several, each has its kind's name, numbered if it is taken."""
    assert InputSpec.parse("3,8,8").names == ("input",)
    assert InputSpec.parse("image:3,8,8; mask:1,8,8").names == ("image", "mask")
    assert InputSpec.parse("3,8,8;3,8,8;latent:4").names == ("image", "image2", "latent")
    assert InputSpec.parse("3,8,8;image=mask:1,8,8").names == ("image2", "image")


@pytest.mark.parametrize(
    "text",
    ["", "3,256", "256", "latent:", "latent:3,4", "latent:-1", "3,0,5", "3,256,256,1", "a,b,c", "3,2.5,4",
     "3,8,8;", "image:3,8,8;tensor:4", "label:2,3", "label:0", "mask:1,8", "a b=3,8,8", "x=3,8,8;x=latent:4", "=3,8,8"],
)  # fmt: skip
def test_a_text_that_is_no_specification_is_refused_in_one_line(text):
    """The message names what was given or an example of what is allowed."""
    with pytest.raises(UserError) as caught:
        InputSpec.parse(text)
    message = str(caught.value)
    assert "\n" not in message
    assert "latent:128" in message or "different names" in message


def test_what_earlier_versions_stored_is_read():
    """Three sizes are one image, one size a latent; both are stored in that form again."""
    assert InputSpec.read([3, 16, 16]) == InputSpec.parse("3,16,16")
    assert InputSpec.read((128,)) == InputSpec.parse("latent:128")
    assert InputSpec.read([128]).shape == (128,)
    assert InputSpec.parse("style=latent:128").shape is None
    with pytest.raises(UserError, match="three positive sizes"):
        InputSpec.read([3, 16])


def test_examples_are_deterministic_and_have_the_values_of_their_kind():
    """Images lie in [-1, 1], masks are 0 or 1, labels are class numbers, latents are normal; two images differ."""
    spec = InputSpec.parse("3,8,8;3,8,8;mask:1,8,8;latent:2000;label:3;vector:5;audio:1,40")
    first, again = spec.examples(4), spec.examples(4)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    image, image2, mask, latent, label, vector, audio = first
    assert not torch.equal(image, image2)
    assert image.shape == (4, 3, 8, 8)
    assert float(image.abs().max()) <= 1
    assert float(image.min()) < 0 < float(image.max())
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert abs(float(latent.std()) - 1) < 0.05
    assert label.dtype == torch.int64
    assert label.shape == (4,)
    assert 0 <= int(label.min()) <= int(label.max()) <= 2
    assert vector.shape == (4, 5)
    assert audio.shape == (4, 1, 40)
    assert all(x.is_meta for x in spec.examples(2, "meta"))
    with pytest.raises(ValueError, match="at least 1"):
        spec.examples(0)


def test_images_and_masks_follow_the_image_size():
    """Latents and channels stay; a size of 0 changes nothing."""
    spec = InputSpec.parse("3,64,64;mask:1,64,64;latent:8")
    assert spec.at_size(16).text == "image=image:3,16,16;mask=mask:1,16,16;latent=latent:8"
    assert spec.at_size(0) == spec
    assert spec.pixels == (64, 64)
    assert InputSpec.parse("latent:8").pixels is None


def test_only_a_label_has_classes():
    """A number of classes on another kind is a mistake, not ignored."""
    with pytest.raises(UserError, match="only a label"):
        Input("x", "latent", (4,), classes=2)


def test_specifications_import_no_torch():
    """A configuration may hold one without torch."""
    code = "import sys; import ganprune.gan_models.networks.specs as s; s.InputSpec.parse('3,8,8;latent:4')"
    assert (
        subprocess.run([sys.executable, "-c", code + "; sys.exit('torch' in sys.modules)"], check=False).returncode == 0
    )
