"""`ganprune inspect` on networks that are not ours: what can be pruned; if not, why, and what to change."""

import ast
import json
from pathlib import Path

import pytest
import torch
from ganprune.gan_models.groups import advice
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.studies.cli.inspect_network import module_rows
from torch import Tensor, nn

from ..command_line import call, refused
from ..gan_models.foreign import FOREIGN

GAN_MODELS = Path(advice.__file__).parent


def arguments(name: str) -> list[str]:
    factory, shape = FOREIGN[name]
    text = f"latent:{shape[0]}" if len(shape) == 1 else ",".join(map(str, shape))
    source = Path(__file__).parents[1] / "gan_models" / f"{factory.__module__.rpartition('.')[2]}.py"
    return ["inspect", "--model", f"{source}:{name}", "--input-shape", text, "--json"]


# Groups of each network, and what of it is not prunable: everything else is.
EXPECTED = {
    "dcgan": (3, {"main.9": "writes the network's output"}),
    "johnson": (8, {"out.conv2d": "writes the network's output"}),
    "srresnet": (5, {"tail": "writes the network's output"}),
    "attention_unet": (
        19,
        {
            "gate2.psi.0": "writes a single channel",
            "gate2.psi.1": "goes with channels that stay",
            "gate1.psi.0": "writes a single channel",
            "gate1.psi.1": "goes with channels that stay",
            "out": "writes the network's output",
        },
    ),
    "groupnorm_autoencoder": (12, {"conv_out": "writes the network's output"}),
    "style_generator": (7, {"to_rgb": "writes the network's output"}),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_module_of_a_foreign_network_is_judged(name, monkeypatch, capsys):
    """Each module with parameters is prunable with named groups, or says why not and what to change."""
    assert call(monkeypatch, *arguments(name)) == 0
    found = json.loads(capsys.readouterr().out)
    groups = {group["name"] for group in found["groups"]}
    judged = {row["module"] for row in found["modules"]}
    network = FOREIGN[name][0]()
    assert judged - {"(the model)"} == {
        n for n, m in network.named_modules() if n and list(m.parameters(recurse=False))
    }
    whole = {row["module"]: row["reason"] for row in found["modules"] if not row["prunable"]}
    prunable = [row for row in found["modules"] if row["prunable"]]
    assert (len(groups), whole) == EXPECTED[name]
    assert all(row["change"] for row in found["modules"] if not row["prunable"])
    assert all(row["groups"] and set(row["groups"]) <= groups for row in prunable)
    assert found["cheapest"]["macs"] < 0.05 * found["dense"]["macs"]


def test_a_network_that_cannot_be_traced_gets_one_line(monkeypatch, capsys):
    """The branch is named with its file and line, what to write in its place is said, and nothing is printed as prunable."""
    line = refused(monkeypatch, capsys, *arguments("branching"))
    assert "Branching cannot be traced, so nothing of it was pruned, at " in line
    assert "foreign_images.py:" in line
    assert "`if x.mean() > 0:`" in line
    assert "must become torch.where" in line


class Stubborn(nn.Module):
    """Does to its channels, one layer each, what keeps them from being pruned."""

    def __init__(self) -> None:
        super().__init__()
        self.summed, self.ranked, self.soft = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 1)
        self.fixed, self.computed, self.free = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 1)
        self.makes = nn.Linear(4, 64)
        self.last = nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.makes(x.mean((1, 2, 3)).expand(4)).reshape(8, 8, 1, 1)
        kept = self.summed(x).sum(1, keepdim=True) + self.ranked(x).cumsum(1) * self.soft(x).softmax(1)
        kept = kept + self.fixed(x).reshape(-1, 8, 8, 8) + nn.functional.conv2d(self.computed(x), kernel)
        return self.last(kept) + self.free(x).mean()


def test_each_reason_comes_with_its_own_advice():
    """What keeps a layer's channels is named with the layer, and the advice is about that."""
    network = Stubborn()
    rows = {row["module"]: row for row in module_rows(network, find_groups(network, torch.empty(1, 3, 8, 8)))}
    assert "reduces over channels" in rows["summed"]["reason"]
    assert "1x1 convolution" in rows["summed"]["change"]
    assert "computed weight" in rows["computed"]["reason"]
    assert "a weight of its own" in rows["computed"]["change"]
    assert not any(row["prunable"] for row in rows.values())
    assert len({row["change"] for row in rows.values()}) >= 4


def reasons_in(path: Path) -> list[str]:
    """All reasons that a source file can give, with X for what is filled in."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        value = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            position = {"pin": 1, "along": 2, "fresh_on": 2, "get": None}.get(node.func.attr)
            if position is not None and len(node.args) > position:
                value = node.args[position]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason":
            value = node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            found.append(value.value)
        elif isinstance(value, ast.JoinedStr):
            found.append("".join(str(p.value) if isinstance(p, ast.Constant) else "X" for p in value.values))
    return found


def test_no_reason_is_without_advice():
    """Every reason that the rules can give has an entry of its own, not the fallback."""
    reasons = [reason for path in sorted(GAN_MODELS.glob("*.py")) for reason in reasons_in(path)]
    assert len(reasons) > 25
    fallback = advice.what_to_change("something else")
    assert [reason for reason in reasons if advice.what_to_change(reason) == fallback] == []
