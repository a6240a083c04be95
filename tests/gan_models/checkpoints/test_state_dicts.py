"""The tensors of a checkpoint that are the network's."""

from pathlib import Path

import pytest
import torch
from ganprune.gan_models.checkpoints.state_dicts import fitting, located
from ganprune.gan_models.files.errors import UserError
from torch import nn

NETWORK = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.InstanceNorm2d(4))


def weights() -> dict[str, torch.Tensor]:
    return {name: torch.full_like(value, i) for i, (name, value) in enumerate(NETWORK.state_dict().items())}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda own: own,
        lambda own: {"epoch": 3, "nets": {"g_ema": own}},
        lambda own: {f"module.generator.{name}": value for name, value in own.items()},
        lambda own: {"g": own, "optimizer": {"state": {0: {"step": torch.zeros(())}}, "param_groups": []}},
    ],
    ids=["alone", "nested", "behind a prefix", "beside an optimizer"],
)
def test_the_one_that_fits_is_found_wherever_it_lies(wrap):
    """Its names are the network's own, and its values those of the file."""
    own = weights()
    found = fitting(NETWORK, wrap(own))
    assert found.keys() == own.keys()
    assert all(torch.equal(found[name], own[name]) for name in own)


def test_of_two_that_fit_the_user_chooses():
    """Both keys are named; with one of them its tensors are taken."""
    content = {"g": weights(), "g_ema": {name: value + 100 for name, value in weights().items()}}
    with pytest.raises(UserError, match=r"several state dicts that fit .* FILE::g, g_ema"):
        fitting(NETWORK, content)
    assert torch.equal(fitting(NETWORK, content, "g_ema")["0.bias"], content["g_ema"]["0.bias"])
    with pytest.raises(UserError, match="no state dict under 'ema'; expected one of g, g_ema"):
        fitting(NETWORK, content, "ema")


def test_files_of_early_pytorch_are_read_as_todays():
    """Statistics of an InstanceNorm that keeps none are left out; a missing count of batches is 0."""
    old = weights()
    del old["1.num_batches_tracked"]
    old |= {"2.running_mean": torch.zeros(4), "2.running_var": torch.ones(4)}
    found = fitting(NETWORK, old)
    assert found.keys() == NETWORK.state_dict().keys()
    assert int(found["1.num_batches_tracked"]) == 0


def test_what_does_not_fit_is_told_by_names_and_shapes():
    """Missing, unexpected and misshapen tensors are named, with both shapes."""
    other = weights()
    del other["0.bias"]
    other |= {"0.weight": torch.zeros(8, 3, 3, 3), "9.weight": torch.zeros(1)}
    with pytest.raises(UserError) as caught:
        fitting(NETWORK, other)
    for part in ("1 missing (0.bias)", "1 unexpected (9.weight)", "0.weight (8, 3, 3, 3) instead of (4, 3, 3, 3)"):
        assert part in str(caught.value)


def test_a_key_stands_behind_two_colons_unless_the_file_has_them_in_its_name(tmp_path):
    """`FILE::key` is split at the last `::`; a file of that very name is itself."""
    assert located("a.pt") == (Path("a.pt"), "")
    assert located("a.pt::nets.g") == (Path("a.pt"), "nets.g")
    odd = tmp_path / "a::b"
    odd.write_bytes(b"")
    assert located(odd) == (odd, "")


def test_a_key_may_leave_out_what_stands_before_it():
    """`G_BA` chooses `state_dict.G_BA`; an unknown key is told those that hold the network's tensors."""
    own = weights()
    other = {f"G_AB.{name}": value + 100 for name, value in own.items()}
    content = {"state_dict": other | {f"G_BA.{name}": value for name, value in own.items()}}
    for key in ("G_BA", "state_dict.G_BA", "G_BA."):
        assert torch.equal(fitting(NETWORK, content, key)["0.weight"], own["0.weight"])
    with pytest.raises(UserError, match=r"'G_C'; expected one of state_dict\.G_AB, state_dict\.G_BA"):
        fitting(NETWORK, content, "G_C")


def test_a_network_beside_its_own_copy_is_not_chosen_in_silence():
    """Tensors under their own names, and an average of them under a prefix: neither is taken unasked."""
    own = weights()
    with pytest.raises(UserError, match=r"twice, .* 'ema'"):
        fitting(NETWORK, own | {f"ema.{name}": value + 100 for name, value in own.items()})
