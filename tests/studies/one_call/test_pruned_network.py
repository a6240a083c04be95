import subprocess
import sys

import ganprune
import pytest
import torch
from torch import nn


def network(width: int = 8) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, width, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 3, 3, padding=1),
        nn.Tanh(),
    )


IMAGE = torch.zeros(1, 3, 16, 16)


@pytest.mark.parametrize("method", ["uniform", "widths", "magnitude"])
def test_a_network_is_pruned_below_its_budgets_and_is_not_changed(method):
    """The result is smaller, of the same class and mode, meets all budgets, and the given network is as before."""
    torch.manual_seed(0)
    model = network().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pruned = ganprune.prune(model, IMAGE, ["40%", "500params"], method=method)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert type(pruned.model) is nn.Sequential
    assert pruned.model.training
    assert pruned.model(IMAGE).shape == IMAGE.shape
    assert pruned.costs["macs"].share <= 0.4
    assert pruned.costs["params"].pruned == sum(p.numel() for p in pruned.model.parameters()) <= 500
    assert pruned.plan.widths == {"0": pruned.model[0].out_channels, "2": pruned.model[2].out_channels}


def test_copies_of_channels_cost_nothing_with_calibration_inputs():
    """Half of the channels are copies of the others: refitted, the pruned network gives what the whole one gives."""
    torch.manual_seed(1)
    model = network(8)
    with torch.no_grad():
        for conv in (model[0], model[2]):
            conv.weight[4:], conv.bias[4:] = conv.weight[:4], conv.bias[:4]
    images = torch.randn(8, 3, 16, 16)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, torch.arange(8)), batch_size=4)
    pruned = ganprune.prune(model, IMAGE, "40%", calibration=loader)
    assert pruned.plan.widths == {"0": 4, "2": 4}
    assert pruned.reconstruction.kept
    new = torch.randn(2, 3, 16, 16)
    # Ridge regression leaves a little of its penalty.
    torch.testing.assert_close(pruned.model.eval()(new), model.eval()(new), atol=2e-3, rtol=0)
    assert f"refitted {pruned.reconstruction.refitted} layers on 6 inputs" in repr(pruned)


def test_reconstruct_finds_the_layer_with_copies():
    """Half of the first layer's channels are copies: they go, the second layer stays whole, and the error is far lower."""
    torch.manual_seed(1)
    model = network(8)
    with torch.no_grad():
        model[0].weight[4:], model[0].bias[4:] = model[0].weight[:4], model[0].bias[:4]
    given = {"budget": "61%", "calibration": torch.randn(16, 3, 16, 16), "check": False}
    uniform = ganprune.prune(model, IMAGE, **given)
    found = ganprune.prune(model, IMAGE, method="reconstruct", settings={"evaluations": 12, "min_share": 0.2}, **given)
    assert found.plan.widths == {"0": 4, "2": 8}
    assert found.reconstruction.after < 0.01 * uniform.reconstruction.after
    assert "plans were compared by the error of their outputs" in repr(found)


def test_given_widths_are_the_widths():
    """Channels by pattern, the last one that matches; groups without one stay whole; a budget may be left out."""
    pruned = ganprune.prune(network(), IMAGE, method="widths", widths={"*": 5, "2": 3}, check=False)
    assert pruned.plan.widths == {"0": 5, "2": 3}
    assert pruned.title == "Sequential pruned to given widths by widths"
    assert ganprune.prune(network(), IMAGE, "90%", method="widths", widths={"0": 5}).plan.widths == {"0": 5, "2": 8}


@pytest.mark.parametrize(
    ("budget", "cost", "limit"),
    [
        ("400kFLOPs", "macs", 2e5),
        ("150kMACs", "macs", 1.5e5),
        ("500params", "params", 500),
        ("2kB", "bytes", 2000),
        ("1KiB", "bytes", 1024),
        ("4kvalues", "feature_values", 4000),
    ],
)
def test_every_unit_that_needs_no_profile_is_a_budget(budget, cost, limit):
    """MACs, FLOPs, parameters, bytes, and another package's exact cost, each met closely from below."""
    pruned = ganprune.prune(network(16), IMAGE, budget, check=False)
    assert 0.8 * limit < pruned.costs[cost].pruned <= limit


def test_kept_modules_stay_whole():
    """A pattern of `keep` matches groups, and modules that write their channels."""
    pruned = ganprune.prune(network(), IMAGE, "60%", keep=["2"])
    assert pruned.model[2].out_channels == 8 > pruned.model[0].out_channels


def test_ratios_shape_the_widths():
    """A group with twice the ratio keeps twice the share."""
    pruned = ganprune.prune(network(32), IMAGE, "30%", method="widths", ratios={"2": 2.0})
    first, second = pruned.plan.widths.values()
    assert second == pytest.approx(2 * first, abs=1)


def test_a_method_by_path_prunes(tmp_path):
    """A user's own method of a file cuts the network that is given."""
    (tmp_path / "own.py").write_text(
        "from ganprune.gan_models.groups.plan import ChannelPlan\n"
        "from ganprune.gan_models.groups.surgery import cut\n"
        "from ganprune.gan_models.pruning.method import Pruned\n\n\n"
        "class FirstTwo:\n"
        '    """The first two channels of each group."""\n\n'
        "    def prune(self, job):\n"
        "        plan = ChannelPlan({name: (0, 1) for name in job.groups.names})\n"
        "        return Pruned(cut(job.model, job.groups, plan), plan)\n"
    )
    pruned = ganprune.prune(network(), IMAGE, "30%", method=f"{tmp_path / 'own.py'}:FirstTwo")
    assert pruned.plan.kept == {"0": (0, 1), "2": (0, 1)}


def test_one_call_loads_no_searcher(tmp_path):
    """A prune, and a look for a bundle, import neither Ray nor Optuna."""
    code = (
        "import sys, ganprune, torch\n"
        "from torch import nn\n"
        "model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 3, 1))\n"
        "ganprune.prune(model, torch.zeros(1, 3, 4, 4), '60%')\n"
        "try:\n    ganprune.load_bundle('nothing')\nexcept ganprune.UserError:\n    pass\n"
        "print([name for name in ('ray', 'optuna', 'pandas', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class Fails(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no such size")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": 3}, "the model is not a network: got int; expected a torch.nn.Module"),
        ({"model": Fails()}, "does not run on the example inputs of 1x3x16x16: got RuntimeError: no such size"),
        ({"model": nn.Conv2d(3, 3, 1)}, "Conv2d has nothing to prune"),
        ({"example_inputs": "image"}, "example inputs are not understood: got str; expected a tensor"),
        ({"example_inputs": torch.zeros(3)}, "example input input is not understood: got torch.float32 of 3"),
        ({"budget": "30"}, "budget '30' has no unit"),
        ({"budget": "20ms"}, "a budget in ms needs a profile of a device: got 20ms"),
        ({"budget": "0.01%"}, "cannot be met; expected one between"),
        ({"method": "coronet"}, "method coronet needs a study: got one call without data and losses; expected one of"),
        ({"method": "reconstruct"}, "method reconstruct needs calibration inputs: got none; expected training inputs"),
        (
            {"method": "reconstruct", "calibration": torch.zeros(2, 3, 16, 16)},
            "method reconstruct cannot score plans: got 2 calibration inputs, .*; expected at least 4",
        ),
        ({"method": "widths", "widths": {"0": 9}}, "widths are not understood: got '0': 9; expected 1 to 8 channels"),
        ({"method": "widths", "widths": {"0": 7}}, "widths are over the budget 40%: got"),
        ({"method": "widths", "widths": {"0": 7}, "ratios": {"0": 1.0}}, "got ratios and widths; expected one"),
        ({"widths": {"0": 7}}, "method uniform takes no widths"),
        ({"budget": ()}, "no budget is given"),
        ({"convention": "new"}, "the convention is unknown: got 'new'; expected exact or published"),
        ({"settings": {"ranking": "schur"}}, "ranking schur needs inputs: got none; expected calibration inputs"),
        ({"method": "unifrom"}, "unknown method 'unifrom'.*Did you mean uniform"),
        ({"keep": "0"}, "keep is not understood: got the text '0'"),
        ({"keep": ["decoder.*"]}, "nothing to keep: got 'decoder.\\*', which matches no group and no module"),
        ({"ratios": {"0": 2.0}}, "method uniform takes no ratios"),
        ({"method": "widths", "ratios": {"9": 2.0}}, "ratios are not understood: got '9': 2.0"),
        ({"settings": {"speed": 3}}, "speed"),
        ({"calibration": 5}, "calibration is not understood: got int"),
        ({"calibration": []}, "calibration is empty: got no batch"),
        ({"calibration": torch.zeros(8, 1, 16, 16)}, "calibration inputs do not fit the network: got 1x16x16"),
    ],
)
def test_what_cannot_be_pruned_is_refused_in_one_line(arguments, message):
    """Each mistake names what was given, and is one line."""
    given = {"model": network(), "example_inputs": IMAGE, "budget": "40%", "check": False} | arguments
    with pytest.raises(ganprune.UserError, match=message) as raised:
        ganprune.prune(**given)
    assert "\n" not in str(raised.value)


def test_an_inspection_names_groups_and_reasons():
    """Text and HTML hold the groups with their sizes, and why the output layer stays whole."""
    found = ganprune.inspect(network(), IMAGE)
    assert [(group.name, group.channels) for group in found.groups] == [("0", 8), ("2", 8)]
    assert found.dense["params"] == sum(p.numel() for p in network().parameters())
    for text in (repr(found), found._repr_html_()):
        assert "writes the network&#x27;s output" in text or "writes the network's output" in text
        assert "2 groups can be pruned" in text
