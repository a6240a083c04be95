"""Entries of label maps, vectors and sounds at other sizes than the trained one."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.inference.entries import EntryRun
from ganprune.studies.inference.translation import OpenedGenerator
from PIL import Image

INPUTS = InputSpec.parse("labels=label:4,8,8;photo=3,8,8;mood=vector:2")


def painted(labels, photo, mood):
    """Twice as large as the photo, a gray per class, brighter with the mood's first number."""
    gray = labels[:, None].float() / 2 - 1 + 0.1 * mood[:, :1, None, None] + 0 * photo[:, :1]
    return torch.nn.functional.interpolate(gray, scale_factor=2).expand(-1, 3, -1, -1)


def strided(labels, photo, mood):
    """The same of multiples of 4 alone."""
    if photo.shape[2] % 4 or photo.shape[3] % 4:
        raise RuntimeError("sides must be multiples of 4")
    return painted(labels, photo, mood)


def fixed(labels, photo, mood):
    """The same at the trained size alone."""
    return painted(labels.reshape(-1, 8, 8), photo, mood)


@pytest.fixture
def folder(tmp_path):
    """Three entries, of 8 x 8, 10 x 13 (height by width) and 10 x 13 pixels."""
    random = np.random.default_rng(0)
    for name in ("labels", "photo", "mood"):
        (tmp_path / "in" / name).mkdir(parents=True)
    for i, (height, width) in enumerate(((8, 8), (10, 13), (10, 13))):
        Image.fromarray(random.integers(0, 4, (height, width), np.uint8)).save(tmp_path / f"in/labels/{i}.png")
        Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).save(tmp_path / f"in/photo/{i}.png")
        np.save(tmp_path / f"in/mood/{i}.npy", np.array([i, 0.0]))
    return tmp_path


@pytest.mark.parametrize("generate", [painted, strided])
def test_entries_run_at_the_size_of_their_pictures(folder, generate):
    """Each output is that of the whole label map, without a pixel of what a stride needs around it."""
    done = EntryRun(OpenedGenerator(generate, INPUTS), folder / "in", folder / "out", 8).run()
    assert (done.written, done.skipped, done.notes) == (("0.png", "1.png", "2.png"), (), ())
    for i in range(3):
        labels = np.asarray(Image.open(folder / f"in/labels/{i}.png"), float)
        expected = ((labels / 2 - 1 + 0.1 * i).clip(-1, 1) + 1) * 127.5
        made = np.asarray(Image.open(folder / f"out/{i}.png"), float)[:, :, 0]
        assert made.shape == (2 * labels.shape[0], 2 * labels.shape[1])
        assert np.abs(made - np.kron(expected, np.ones((2, 2)))).max() <= 1


def test_a_generator_of_one_size_has_pictures_brought_to_it(folder):
    """A note says so, and the outputs have the trained size."""
    done = EntryRun(OpenedGenerator(fixed, INPUTS), folder / "in", folder / "out", 8).run()
    assert {Image.open(folder / "out" / name).size for name in done.written} == {(16, 16)}
    (note,) = done.notes
    assert note.endswith("pictures of other sizes are brought to it")


@pytest.mark.parametrize(("runs", "width"), [(True, 24), (False, 16)])
def test_a_sound_runs_at_its_own_length_if_the_network_does(tmp_path, runs, width):
    """Else it is cut at its end to the trained length, which a note says."""

    def spectrum(sound):
        if not runs and sound.shape[2] != 32:
            raise RuntimeError("32 samples")
        return sound.reshape(len(sound), 1, 2, -1)

    (tmp_path / "in" / "sound").mkdir(parents=True)
    samples = np.random.default_rng(0).uniform(-1, 1, (1, 48))
    np.save(tmp_path / "in/sound/a.npy", samples)
    generator = OpenedGenerator(spectrum, InputSpec.parse("sound=audio:1,32"))
    done = EntryRun(generator, tmp_path / "in", tmp_path / "out", 8).run()
    made = np.asarray(Image.open(tmp_path / "out/a.png"), float)
    assert made.shape == (2, width)
    assert np.abs(made - ((samples[0, : 2 * width].reshape(2, width) + 1) * 127.5)).max() <= 0.51
    assert bool(done.notes) != runs


def test_a_fault_at_another_length_is_not_taken_for_a_length_that_does_not_run(tmp_path):
    """A TypeError is a defect, so it ends the run."""

    def spectrum(sound):
        return sound.reshape(len(sound), 1, 2, -1) if sound.shape[2] == 32 else sound.no_such_method()

    (tmp_path / "in" / "sound").mkdir(parents=True)
    np.save(tmp_path / "in/sound/a.npy", np.zeros((1, 48)))
    generator = OpenedGenerator(spectrum, InputSpec.parse("sound=audio:1,32"))
    with pytest.raises(AttributeError):
        EntryRun(generator, tmp_path / "in", tmp_path / "out", 8).run()
