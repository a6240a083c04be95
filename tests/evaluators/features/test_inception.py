"""pytorch-fid itself is the reference; its weights are random, written in its own format, never downloaded."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ganprune.evaluators.features import inception
from ganprune.evaluators.features.catalog import load_encoder
from ganprune.evaluators.features.encoders import feature_batches
from ganprune.evaluators.features.image_folders import folder_batches, image_files
from ganprune.evaluators.features.inception import (
    WEIGHTS_NAME,
    WEIGHTS_VARIABLE,
    find_inception_weights,
    load_inception,
)
from ganprune.evaluators.features.torchvision_import import make_torchvision_importable
from ganprune.gan_models.files.errors import UserError
from PIL import Image

from ...fakes.features import features_of, statistics_of


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_pytorch_fid_imports():
    """After the cure, in a fresh process, torchvision and pytorch_fid import and their Inception builds."""
    done = run(
        "from ganprune.evaluators.features.torchvision_import import make_torchvision_importable as cure\n"
        "first = cure(); assert cure() == first\n"
        "import torchvision, pytorch_fid.inception as p\n"
        "assert torchvision.extension._has_ops() != first\n"
        "print(type(p._inception_v3(num_classes=8, aux_logits=False, weights=None)).__name__)"
    )
    assert done.stdout.strip() == "Inception3", done.stderr


def test_importing_our_modules_imports_no_torchvision():
    """The evaluators touch torchvision only when Inception is loaded."""
    done = run(
        "import sys, ganprune.evaluators.quality.suite, ganprune.evaluators.features.inception; print('torchvision' in sys.modules)"
    )
    assert done.stdout.strip() == "False", done.stderr


def random_inception_state():
    """pytorch-fid's own architecture with random weights: its builder, up to the line that downloads."""
    make_torchvision_importable()
    from pytorch_fid import inception as published

    class Reached(Exception):
        pass

    built = []
    original_url, original_build = published.load_state_dict_from_url, published._inception_v3

    def keep(*arguments, **named):
        built.append(original_build(*arguments, **named))
        return built[0]

    def stop(*_arguments, **_named):
        raise Reached

    published._inception_v3, published.load_state_dict_from_url = keep, stop
    try:
        with pytest.raises(Reached):
            published.fid_inception_v3()
    finally:
        published._inception_v3, published.load_state_dict_from_url = original_build, original_url
    random = torch.Generator().manual_seed(5)
    state = built[0].state_dict()
    for name, value in state.items():
        if name.endswith("running_var") or name.endswith("bn.weight"):
            value.uniform_(0.5, 1.5, generator=random)
        elif value.dim() > 1:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=random)
        elif value.is_floating_point():
            value.normal_(0, 0.1, generator=random)
    return state


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    plain = folder / "random.pth"
    torch.save(random_inception_state(), plain)
    digits = hashlib.sha256(plain.read_bytes()).hexdigest()[:8]
    return plain.rename(folder / f"random-{digits}.pth")


@pytest.fixture
def no_weights_here(monkeypatch, tmp_path):
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path / "hub"


def test_features_are_pytorch_fids(weights, tmp_path, monkeypatch):
    """On PNG files, our features equal those of pytorch-fid's own `get_activations`, in the same order."""
    make_torchvision_importable()
    from pytorch_fid import fid_score
    from pytorch_fid import inception as published

    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 56, 3), dtype=np.uint8)
    files = []
    for i, image in enumerate(pixels):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(image).save(files[-1])
    state = torch.load(weights, weights_only=True)
    monkeypatch.setattr(published, "load_state_dict_from_url", lambda *_a, **_k: state)
    network = published.InceptionV3([3])
    theirs = fid_score.get_activations(files, network, batch_size=3, num_workers=0)
    encoder = load_encoder("inception", weights)
    tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    ours = features_of([tensor], encoder)
    assert ours.shape == (3, 2048)
    assert theirs.std() > 1e-3
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-3, atol=1e-5 * np.abs(theirs).max())
    torch.testing.assert_close(encoder.class_scores(ours), ours @ state["fc.weight"].T)
    assert encoder.name == f"inception-{encoder.sha256[:8]}"
    assert encoder.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_a_folder_measures_as_pytorch_fid_measures_it(weights, tmp_path, monkeypatch):
    """Files of several sizes and kinds, read in our batches: features, their order and the `.npz` are pytorch-fid's."""
    make_torchvision_importable()
    from pytorch_fid import fid_score
    from pytorch_fid import inception as published

    rng, sizes = np.random.default_rng(1), [(40, 56), (40, 56), (64, 32)]
    for i, (suffix, size) in enumerate(zip(("png", "bmp", "png"), sizes, strict=True)):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / f"{9 - i}.{suffix}")
    state = torch.load(weights, weights_only=True)
    monkeypatch.setattr(published, "load_state_dict_from_url", lambda *_a, **_k: state)
    network = published.InceptionV3([3])
    mean, covariance = fid_score.compute_statistics_of_path(str(tmp_path), network, 1, 2048, "cpu", num_workers=0)
    encoder = load_encoder("inception", weights)
    files = image_files(tmp_path)
    ours = torch.cat(list(feature_batches(folder_batches(files, batch_size=2), encoder)))
    in_order = fid_score.get_activations(files, network, batch_size=1, num_workers=0)
    np.testing.assert_allclose(ours.numpy(), in_order, rtol=1e-3, atol=1e-5 * np.abs(in_order).max())
    side = statistics_of([ours])
    side.save(tmp_path / "ours.npz")
    theirs = fid_score.compute_statistics_of_path(str(tmp_path / "ours.npz"), network, 1, 2048, "cpu")
    np.testing.assert_array_equal(theirs[0], side.mean.numpy())
    np.testing.assert_allclose(theirs[0], mean, rtol=1e-3, atol=1e-5 * np.abs(mean).max())
    np.testing.assert_allclose(theirs[1], covariance, rtol=1e-2, atol=1e-4 * np.abs(covariance).max())


def test_published_digits_give_the_name(weights, monkeypatch, tmp_path):
    """A file whose sha256 begins with the published digits is `inception` under any name."""
    monkeypatch.setattr(inception, "_PUBLISHED_DIGITS", weights.stem[-8:])
    renamed = tmp_path / "mine.pth"
    renamed.symlink_to(weights)
    assert load_inception(renamed).name == "inception"


def test_a_file_of_weights_is_checked_without_building_the_network(weights, tmp_path):
    """Name and sha256 alone tell the published file, another one, and a damaged one apart."""
    assert inception.check_inception_weights(weights) == f"inception-{weights.stem[-8:]}"
    damaged = tmp_path / weights.name
    damaged.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged or misnamed"):
        inception.check_inception_weights(damaged)


def test_no_weights_is_one_clear_line(no_weights_here):
    """Without weights there is an error that names the file, the variable and the way out, and no download."""
    assert find_inception_weights() is None
    with pytest.raises(ValueError) as caught:
        load_encoder("inception")
    assert all(part in str(caught.value) for part in (WEIGHTS_NAME, WEIGHTS_VARIABLE, "shapes"))
    assert "\n" not in str(caught.value)


def test_where_weights_are_looked_for(no_weights_here, monkeypatch, tmp_path):
    """The path given wins over the variable, the variable over torch hub's cache; a path to nothing is an error."""
    cached = no_weights_here / "hub" / "checkpoints" / WEIGHTS_NAME
    cached.parent.mkdir(parents=True)
    named, given = tmp_path / "named.pth", tmp_path / "given.pth"
    for path in (cached, named, given):
        path.write_bytes(b"x")
    assert find_inception_weights() == cached
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(named))
    assert find_inception_weights() == named
    assert find_inception_weights(given) == given
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "gone.pth"))
    with pytest.raises(ValueError, match=WEIGHTS_VARIABLE):
        find_inception_weights()


class Sneaky:
    def __reduce__(self):
        return (Path.touch, (Path("/nonexistent/never"),))


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        (WEIGHTS_NAME, {}, "damaged"),
        ("other.pth", {}, "not the published"),
        ("digits", {"conv": torch.zeros(1)}, "does not contain"),
        ("digits", [1, 2], "dictionary of tensors"),
        ("digits", {"x": Sneaky()}, "plain tensors"),
    ],
    ids=["damaged", "no digits", "other tensors", "no dictionary", "needs unpickling"],
)
def test_wrong_files_are_refused(tmp_path, name, content, match):
    """A damaged, foreign or pickled file is refused in one line that says what is wrong with it."""
    path = tmp_path / "file.pth"
    torch.save(content, path)
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    path = path.rename(tmp_path / (f"file-{digits}.pth" if name == "digits" else name))
    with pytest.raises(ValueError, match=match) as caught:
        load_inception(path)
    assert "\n" not in str(caught.value)


def test_unknown_encoder():
    """An unknown encoder's name lists those that exist."""
    with pytest.raises(UserError, match="unknown encoder 'vgg'; expected one of inception, lite0, shapes"):
        load_encoder("vgg")
