"""Files of one input are read as its kind, and refused with file and value if they hold something else."""

import wave

import numpy as np
import pytest
import torch
from ganprune.gan_models.data.inputs.part_files import PictureParts, ValueParts, label_map, mask, values
from ganprune.gan_models.data.spec import PictureForm
from ganprune.gan_models.files.errors import UserError, WorkFailed
from ganprune.gan_models.networks.specs import InputSpec
from PIL import Image

CLASSES = np.array([[0, 1, 2, 2], [1, 1, 0, 2]], np.uint8)


def one(text):
    return InputSpec.parse(text).inputs[0]


@pytest.mark.parametrize("mode", ["P", "L", "I;16"])
def test_a_label_map_is_read_by_index(tmp_path, mode):
    """A palette's colors do not matter; gray values are class numbers, of 8 or 16 bits."""
    picture = Image.fromarray(CLASSES if mode != "I;16" else CLASSES.astype(np.uint16))
    if mode == "P":
        picture.putpalette([255, 0, 0, 9, 200, 40, 0, 0, 255])
    picture.save(tmp_path / "map.png")
    assert Image.open(tmp_path / "map.png").mode == mode
    assert label_map(tmp_path / "map.png", one("label:3,2,4"), 2, 4)[0].tolist() == CLASSES.tolist()


def test_a_label_map_is_resized_to_classes_that_it_holds(tmp_path):
    """The nearest pixel is taken: twice the size repeats each, half of it takes no mean."""
    Image.fromarray(CLASSES).save(tmp_path / "map.png")
    twice = label_map(tmp_path / "map.png", one("label:3,4,8"), 4, 8)[0].numpy()
    assert np.array_equal(twice, CLASSES.repeat(2, 0).repeat(2, 1))
    assert set(np.unique(label_map(tmp_path / "map.png", one("label:3,1,2"), 1, 2))) <= {0, 1, 2}


def test_a_class_that_the_input_has_not_is_refused_with_file_and_value(tmp_path):
    """One line: the file, the class, those that are allowed; colors are no classes."""
    Image.fromarray(CLASSES).save(tmp_path / "map.png")
    with pytest.raises(UserError, match=r"map\.png has a class out of range: got 2; expected 0 to 1 .*label:2,2,4"):
        label_map(tmp_path / "map.png", one("label:2,2,4"), 2, 4)
    Image.fromarray(CLASSES).convert("RGB").save(tmp_path / "colors.png")
    with pytest.raises(UserError, match=r"colors\.png contains colors instead of class numbers"):
        label_map(tmp_path / "colors.png", one("label:3,2,4"), 2, 4)


def test_a_mask_is_black_and_white_unless_soft_ones_are_asked_for(tmp_path):
    """Another value is named with its share of the pixels; soft masks keep it."""
    pixels = np.array([[0, 255], [255, 64]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "soft.png")
    Image.fromarray(np.where(pixels == 64, 0, pixels)).save(tmp_path / "hard.png")
    assert mask(tmp_path / "hard.png", one("mask:1,2,2"), 2, 2).tolist() == [[[0, 255], [255, 0]]]
    with pytest.raises(UserError, match=r"soft\.png contains other values.* 64 of 255 in 25 %.*soft_masks=true"):
        mask(tmp_path / "soft.png", one("mask:1,2,2"), 2, 2)
    assert float(mask(tmp_path / "soft.png", one("mask:1,2,2"), 2, 2, soft=True)[0, 1, 1]) == 64


def test_vectors_sounds_and_labels_have_their_inputs_shape(tmp_path):
    """A sound of 16 bits is of [-1, 1], and cut at its end; a label is one class number."""
    np.save(tmp_path / "v.npy", np.arange(3))
    assert values(tmp_path / "v.npy", one("vector:3")).tolist() == [0.0, 1.0, 2.0]
    with wave.open(str(tmp_path / "s.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.array([[-32768, 0], [16384, 8192], [1, 1]], "<i2").tobytes())
    assert values(tmp_path / "s.wav", one("audio:2,2")).tolist() == [[-1.0, 0.5], [0.0, 0.25]]
    np.save(tmp_path / "l.npy", np.array(4))
    assert values(tmp_path / "l.npy", one("label:5")).dtype == torch.int64
    for name, text, said in (
        ("v.npy", "vector:4", r"of shape \(3,\); expected finite numbers of shape \(4,\)"),
        ("s.wav", "audio:1,2", r"shape \(2, 2\)"),
        ("l.npy", "label:4", r"got \[4\].*0 to 3"),
    ):
        with pytest.raises(UserError, match=said):
            values(tmp_path / name, one(text))
    (tmp_path / "v.npy").write_bytes(b"no array")
    with pytest.raises(WorkFailed, match=r"v\.npy cannot be read"):
        values(tmp_path / "v.npy", one("vector:3"))


def test_every_entry_is_looked_at_before_training(tmp_path):
    """A wrong mask among many good ones is found by `check`, and a vector of another length, too."""
    for n in range(20):
        Image.new("RGB", (4, 4), "teal").save(tmp_path / f"{n}.png")
        Image.new("L", (4, 4), 255 if n != 17 else 100).save(tmp_path / f"m{n}.png")
        np.save(tmp_path / f"{n}.npy", np.zeros(2 if n != 9 else 3))
    files = [(tmp_path / f"{n}.png", tmp_path / f"m{n}.png") for n in range(20)]
    parts = InputSpec.parse("3,4,4;mask:1,4,4").inputs
    forms = [PictureForm(3, 4, 4), PictureForm(1, 4, 4)]
    with pytest.raises(UserError, match=r"m17\.png"):
        PictureParts(files, parts, forms).check()
    PictureParts(files, parts, forms, soft=True).check()
    with pytest.raises(UserError, match=r"9\.npy"):
        ValueParts([(tmp_path / f"{n}.npy",) for n in range(20)], (one("vector:2"),)).check()
