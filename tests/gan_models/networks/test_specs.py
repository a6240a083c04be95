"""Specifications of what generators take: texts, JSON, examples."""

import json
import subprocess
import sys

import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.networks.specs import Input, InputSpec, OutputSpec

TEXTS = [
    "3,256,256",
    "latent:128",
    "image=image:3,64,64;mask=mask:1,64,64",
    "photo=image:3,64,64;style=latent:64;breed=label:10",
    "style=latent:8",
    "vector:4",
    "sound=audio:1,16000",
    "latent:128,1,1",
    "labels=label:10,16,16",
    "style=latent:4,8,8;image=image:3,64,64",
    "3,64,64@0,1",
    "photo=image:3,64,64@0,255;mask=mask:1,64,64@-1,1;sound=audio:1,40@-0.5,0.5",
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
     "3,8,8;", "3,8,8@0", "3,8,8@", "3,8,8@0,1,2", "latent:3,4,5,6", "image:3,8,8;tensor:4", "label:2,3", "label:2,0,3", "label:0", "mask:1,8", "a b=3,8,8", "x=3,8,8;x=latent:4", "=3,8,8"],
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


def test_a_range_of_values_is_the_kinds_unless_it_is_given():
    """Images lie in [-1, 1], masks in [0, 1]; what is given is kept at another size, and fills its range."""
    assert [one.value_range for one in InputSpec.parse("3,8,8;mask:1,8,8;latent:4").inputs] == [(-1, 1), (0, 1), None]
    assert InputSpec.parse("3,8,8@-1,1") == InputSpec.parse("3,8,8")
    assert InputSpec.parse("label:5,8,8;3,8,8").at_size(4).text == "label=label:5,4,4;image=image:3,4,4"
    wide = InputSpec.parse("3,16,16@0,255")
    assert wide.at_size(32).text == "3,32,32@0,255"
    (image,) = wide.examples(2)
    assert float(image.min()) >= 0
    assert 200 < float(image.max()) <= 255


def test_an_image_of_another_range_is_not_stored_as_its_sizes():
    """Sizes alone would lose the range, and the second and third size of a latent would make it an image."""
    assert InputSpec.parse("3,8,8@0,1").shape is None
    assert InputSpec.parse("latent:4,1,1").shape is None


@pytest.mark.parametrize("bounds", [(1.0, -1.0), (0.0, 0.0), (0.0, float("inf")), (float("nan"), 1.0), (0.0,)])
def test_a_range_that_is_none_is_refused(bounds):
    """The least value is below the largest one, and both are finite; of a label there is none."""
    with pytest.raises(UserError, match=r"value range.*-1,1"):
        Input("x", "image", (3, 8, 8), value_range=bounds)
    with pytest.raises(UserError, match=r"value range.*-1,1"):
        OutputSpec(3, (8, 8), bounds)
    with pytest.raises(UserError, match="only image, mask, audio"):
        Input("x", "label", (), 3, (0.0, 1.0))


@pytest.mark.parametrize(
    ("shape", "inputs", "scale"),
    [
        ((3, 256, 256), "3,64,64", (4, 1)),
        ((3, 32, 32), "mask:1,8,8;3,64,64", (1, 2)),
        ((3, 96, 96), "3,64,64", (3, 2)),
        ((3, 64, 128), "3,64,64", (1, 1, 2, 1)),
        ((3, 32, 32), "latent:128", None),
        ((1, 16000), "audio:1,4000", None),
        ((10,), "3,64,64", None),
    ],
)
def test_an_output_has_its_scale_beside_the_first_image(shape, inputs, scale):
    """Pixels per pixel of the first image, in lowest terms; for both sides if they differ; none without an image."""
    spec = OutputSpec.of_shape(shape, InputSpec.parse(inputs))
    assert (spec.shape, spec.scale, spec.value_range, spec.selected) == (shape, scale, (-1, 1), "")


@pytest.mark.parametrize("spec", [OutputSpec(3, (8, 8)), OutputSpec(1, (9,), (0, 255), "heads.1", (3, 2))])
def test_json_gives_the_same_output_again(spec):
    """All fields are kept."""
    assert from_json(OutputSpec, json.loads(json.dumps(to_json(spec)))) == spec


def test_an_output_has_a_name_that_no_input_has():
    """A file's output is called as the network calls it if that is a name, and never as an input."""
    photo = InputSpec.parse("image=3,8,8;label:3")
    names = [OutputSpec(3, (8, 8), selected=name).name_beside(photo) for name in ("", "1", "picture", "image")]
    assert names == ["output", "output", "picture", "image_output"]
    assert OutputSpec(3, (8, 8)).name_beside(InputSpec.parse("output=latent:4")) == "output_output"
