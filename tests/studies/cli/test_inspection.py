"""`ganprune inspect` on networks that are not ours: what can be pruned; if not, why, and what to change."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.tracing.unpruned_reasons import MUST_STAY, UnprunedReason, Why
from ganprune.studies.cli.inspection import module_rows
from torch import Tensor, nn

from ...command_line import call, refused
from ...gan_models.foreign import FOREIGN


def arguments(name: str) -> list[str]:
    factory, shape = FOREIGN[name]
    text = f"latent:{shape[0]}" if len(shape) == 1 else ",".join(map(str, shape))
    source = Path(__file__).parents[2] / "gan_models" / f"{factory.__module__.rpartition('.')[2]}.py"
    return ["inspect", "--model", f"{source}:{name}", "--input-shape", text, "--json"]


# Groups of each network, and what of it is not prunable: everything else is.
EXPECTED = {
    "dcgan": (3, {"main.9": Why.WRITES_OUTPUT}),
    "johnson": (8, {"out.conv2d": Why.WRITES_OUTPUT}),
    "srresnet": (5, {"tail": Why.WRITES_OUTPUT}),
    "attention_unet": (
        19,
        {
            "gate2.psi.0": Why.SINGLE_CHANNEL,
            "gate2.psi.1": Why.FOLLOWS,
            "gate1.psi.0": Why.SINGLE_CHANNEL,
            "gate1.psi.1": Why.FOLLOWS,
            "out": Why.WRITES_OUTPUT,
        },
    ),
    "groupnorm_autoencoder": (12, {"conv_out": Why.WRITES_OUTPUT}),
    "style_generator": (7, {"to_rgb": Why.WRITES_OUTPUT}),
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
    whole = {row["module"]: Why[row["code"].upper()] for row in found["modules"] if not row["prunable"]}
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
        kernel = self.makes(x.mean((1, 2, 3)).expand(4)).reshape(8, 8, 1, 1).exp()
        kept = self.summed(x).mean(1, keepdim=True) + self.ranked(x).cumsum(1) * self.soft(x).softmax(1)
        dynamic = nn.functional.conv2d(self.computed(x).exp(), kernel)
        return self.last(kept + self.fixed(x).reshape(-1, 8, 8, 8)) + self.free(x).mean() + dynamic.mean()


def test_each_reason_comes_with_its_own_advice():
    """The call that keeps a layer's channels is named with the layer, and the advice is about that."""
    network = Stubborn()
    rows = {row["module"]: row for row in module_rows(network, find_groups(network, torch.empty(1, 3, 8, 8)))}
    assert (rows["summed"]["code"], rows["computed"]["code"]) == ("reduced", "computed_weight")
    assert rows["summed"]["reason"] == "mean in the model reduces over channels"
    assert "1x1 convolution" in rows["summed"]["change"]
    assert "a weight of its own" in rows["computed"]["change"]
    assert not any(row["prunable"] for row in rows.values())
    assert len({row["change"] for row in rows.values()}) >= 4


@pytest.mark.parametrize("why", Why)
def test_every_reason_has_a_text_and_advice(why: Why):
    """A reason's places can be filled in, and its advice is a sentence of its own."""
    places = dict.fromkeys(re.findall(r"\{(\w+)", why.text), "X")
    reason = why(**places)
    assert "{" not in reason.text
    assert len(reason.advice.removeprefix(MUST_STAY).split()) > 2
    assert (reason.code, str(reason)) == (why.code, reason.text)


def test_the_rules_give_every_reason():
    """No reason is in the table alone: some rule, pattern or command gives it."""
    folder = Path(str(files("ganprune.gan_models.groups")))
    others = ("spaces/*.py", "s*/*/*.py")
    found = (path for pattern in others for path in folder.parents[1].glob(pattern))
    sources = [*folder.parent.glob("*/*.py"), *found]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert [why.name for why in Why if f"Why.{why.name}" not in text] == []


def test_a_reason_can_be_in_a_callers_words():
    """A rule that pins a group may give the reason; the code stays."""
    assert Why.LEFT_WHOLE.saying("too small") == UnprunedReason("left_whole", "too small", Why.LEFT_WHOLE.advice)


PICKY = """
from torch import nn

class Picky(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 3, 3)
    def forward(self, x):
        y = self.b(self.a(x).relu())
        return self.c(y.relu() if y.is_meta else y.relu() * y.shape[1])
"""


def test_check_pins_what_breaks_and_names_the_line(tmp_path, monkeypatch, capsys):
    """`inspect --check` leaves the group whole, says why in words and in JSON, and tells the arithmetic."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(PICKY)
    asked = ["inspect", "--model", "net.py:Picky", "--input-shape", "3,32,32"]
    assert call(monkeypatch, *asked, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["groups"]) == 2
    assert call(monkeypatch, *asked, "--check", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [group["name"] for group in found["groups"]] == ["a"]
    assert found["check"]["pinned"]["b"]["code"] == "differs_when_cut"
    assert "net.py:10" in found["check"]["pinned"]["b"]["reason"]
    assert found["check"]["difference"] < found["check"]["tolerance"] == 1e-6
    assert call(monkeypatch, *asked, "--check") == 0
    assert "b is not pruned: " in capsys.readouterr().out
