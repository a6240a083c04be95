"""EfficientNet-Lite0 with random weights under the published names; the published file is never needed."""

import hashlib

import pytest
import torch
import torch.nn.functional as F
from ganprune.evaluators.features.catalog import choose_encoder, load_encoder
from ganprune.evaluators.features.pretrained import lite0
from ganprune.evaluators.features.pretrained.lite0 import Lite0Network, load_lite0
from ganprune.gan_models.files.errors import UserError
from safetensors.torch import save_file


def random_state() -> dict[str, torch.Tensor]:
    """Weights that keep the size of activations, with norms whose statistics matter."""
    random = torch.Generator().manual_seed(3)
    state = Lite0Network().state_dict()
    for name, value in state.items():
        if name.endswith(("running_var", "bn0.weight", "bn1.weight", "bn2.weight")):
            value.uniform_(0.5, 1.5, generator=random)
        elif value.dim() > 1:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=random)
        elif value.is_floating_point():
            value.normal_(0, 0.1, generator=random)
    return state


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lite0")
    save_file(random_state(), folder / "random.safetensors")
    digits = hashlib.sha256((folder / "random.safetensors").read_bytes()).hexdigest()[:8]
    return (folder / "random.safetensors").rename(folder / f"random-{digits}.safetensors")


def by_hand(state, images):
    """Features by the network's definition, written without modules."""

    def convolved(x, name, stride=1, groups=1):
        weight = state[f"{name}.weight"]
        size, kernel = x.shape[-1], weight.shape[-1]
        missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        before, after = missing // 2, missing - missing // 2
        return F.conv2d(F.pad(x, (before, after, before, after)), weight, stride=stride, groups=groups)

    def normed(x, name, act):
        mean, var, gain, bias = (
            state[f"{name}.{part}"].view(1, -1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        y = (x - mean) / (var + 1e-3).sqrt() * gain + bias
        return y.clamp(0, 6) if act else y

    x = normed(convolved(((images + 1) * 127.5 - 127) / 128, "_conv_stem", 2), "_bn0", True)
    strides = {1: 2, 3: 2, 5: 2, 11: 2}  # first blocks of the stages that halve the map
    for block in range(16):
        name, y = f"_blocks.{block}", x
        if f"{name}._expand_conv.weight" in state:
            y = normed(convolved(y, f"{name}._expand_conv"), f"{name}._bn0", True)
        y = normed(convolved(y, f"{name}._depthwise_conv", strides.get(block, 1), y.shape[1]), f"{name}._bn1", True)
        y = normed(convolved(y, f"{name}._project_conv"), f"{name}._bn2", False)
        x = x + y if x.shape == y.shape else y
    return normed(convolved(x, "_conv_head"), "_bn1", True).mean((2, 3))


def test_features_follow_the_definition(weights):
    """Features are those of the formulas, with TensorFlow's padding; scores are the linear layer's."""
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    encoder, state = load_encoder("lite0", weights), random_state()
    found = encoder(images)
    assert found.shape == (1, encoder.dimension)
    assert found.std() > 1e-2
    torch.testing.assert_close(found, by_hand(state, images), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(encoder.class_scores(found), found @ state["_fc.weight"].T + state["_fc.bias"])


def test_the_published_file_alone_gives_the_name(weights, monkeypatch):
    """Another file's distances carry its digits; `auto` takes the encoder if its file was given."""
    assert load_lite0(weights).name == f"lite0-{weights.stem[-8:]}"
    monkeypatch.setattr(lite0, "_PUBLISHED_DIGITS", weights.stem[-8:])
    assert load_lite0(weights).name == "lite0"
    monkeypatch.delenv("GANPRUNE_INCEPTION_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", "/nowhere")
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    assert choose_encoder("auto", {"lite0": weights}) == ("lite0", weights)
    assert choose_encoder("auto") == ("shapes", None)


def test_wrong_files_are_refused(weights, tmp_path):
    """No file, one that is not there, one of other tensors: one line each."""
    with pytest.raises(UserError, match="Try --weights lite0=FILE"):
        choose_encoder("lite0")
    with pytest.raises(UserError, match="expected a file"):
        choose_encoder("lite0", {"lite0": tmp_path / "gone.pth"})
    save_file({"a": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="not the published file of lite0"):
        load_lite0(tmp_path / "x.safetensors")
    digits = hashlib.sha256((tmp_path / "x.safetensors").read_bytes()).hexdigest()[:8]
    named = (tmp_path / "x.safetensors").rename(tmp_path / f"x-{digits}.safetensors")
    with pytest.raises(UserError, match="does not contain EfficientNet-Lite0") as raised:
        load_lite0(named)
    assert "\n" not in str(raised.value)
