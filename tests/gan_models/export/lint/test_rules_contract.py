"""Rules of runtimes: every entry has a source; findings stand by module, with their share and what removes them."""

from dataclasses import fields

import pytest
import torch
from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.evaluators.cost.counters import count_macs
from ganprune.gan_models.export.catalog import EXPORTERS
from ganprune.gan_models.export.exporter import ExportJob
from ganprune.gan_models.export.lint.catalog import RUNTIME_RULES, rules_of
from ganprune.gan_models.export.lint.lint import Traced
from ganprune.gan_models.export.lint.rule import KINDS, Rule
from ganprune.gan_models.networks.catalog import build
from torch import nn
from torch.nn import functional as F


@pytest.fixture(scope="module")
def resnet() -> Traced:
    model = build("resnet", {"ngf": 2, "n_blocks": 1}).eval()
    return Traced.of(ExportJob(model, (torch.rand(1, 3, 16, 16),)))


@pytest.mark.parametrize("name", list(RUNTIME_RULES))
def test_every_rule_has_a_kind_a_reason_and_a_source(name):
    """And its row names an export format; a runtime of ours and an exporter name rows that there are."""
    assert EXPORTERS.find(RUNTIME_RULES[name].format)
    rules = rules_of(name)
    assert rules
    for rule in rules:
        assert {field.name for field in fields(rule)} >= {"source"}
        assert rule.kind in KINDS
        assert rule.operators
        assert rule.text
        assert rule.source.startswith("https://")
    assert [rule for _, row in EXPORTERS.usable() for rule in row.rules if rule not in RUNTIME_RULES] == []
    assert {"onnxruntime", "litert", "ncnn", "openvino", "coreml"} <= set(RUNTIME_RULES) & set(RUNTIMES)


def test_macs_are_those_of_the_counter(resnet):
    """The sum over calls is the exact count, so that shares are of it."""
    model = build("resnet", {"ngf": 2, "n_blocks": 1}).eval()
    assert sum(resnet.macs.values()) == count_macs(model, (torch.rand(1, 3, 16, 16),))["macs"]


def test_findings_name_modules_shares_and_rewrites(resnet):
    """A ResNet on LiteRT has both transposed convolutions with their own share, and the rewrite that removes them."""
    (found,) = [each for each in resnet.lint("litert") if each.rule.kind == "unsupported"]
    assert found.modules == ("model.11", "model.14")
    layers = [macs for name, macs in resnet.macs.items() if "conv_transpose2d" in name]
    assert found.share == pytest.approx(sum(layers) / sum(resnet.macs.values()))
    assert found.rewrites == ("transposed-convolution",)
    assert all(each.removed for each in resnet.lint("litert"))


def test_the_data_type_decides_which_rules_concern_a_file(resnet):
    """Transposed convolutions have no integer kernel in ONNX Runtime; in float32 nothing is to be said."""
    assert resnet.lint("onnxruntime") == ()
    kinds = {name for each in resnet.lint("onnxruntime", "int8") for name in each.operators}
    assert kinds == {"conv_transpose2d", "instance_norm"}


class Joins(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.n, self.conv, self.last = n, nn.Conv2d(3, 4, 1), nn.Conv2d(4 * n, 3, 1)

    def forward(self, x):
        x = self.conv(F.pad(x, (3, 3, 3, 3), mode="reflect"))
        return self.last(torch.cat([x + i for i in range(self.n)], 1))


def test_what_no_rewrite_removes_stays():
    """A concatenation of six tensors, with the share of the layers beside it; of five nothing is found."""
    for n, expected in ((5, []), (6, [{"cat": 1}])):
        traced = Traced.of(ExportJob(Joins(n).eval(), (torch.rand(1, 3, 8, 8),)))
        left = [each for each in traced.lint("litert") if not each.removed]
        assert [dict(each.operators) for each in left] == expected
        last = list(traced.macs.values())[-1]  # the layer that reads it is nearest
        assert [each.share for each in left] == [last / sum(traced.macs.values())] * len(expected)


@pytest.mark.parametrize("runtime", ["litert"])
def test_rewrites_bring_in_nothing_that_a_rule_concerns(runtime):
    """The calls of a rewritten network are themselves run well."""
    model = build("resnet", {"ngf": 2, "n_blocks": 1}).eval()
    inputs = (torch.rand(1, 3, 16, 16),)
    from ganprune.gan_models.export.rewriting import rewritten

    job, _ = rewritten(ExportJob(model, inputs, free_batch=False), EXPORTERS["litert"].rewrites)
    found = Traced.of(job).lint(runtime)
    assert [each.line for each in found if each.rule.kind != "slow"] == []


def test_a_rule_concerns_its_operators_and_data_types_alone():
    """Whoever writes a rule gives names without namespace and overload."""
    traced = Traced.of(ExportJob(nn.Conv2d(3, 3, 1).eval(), (torch.rand(1, 3, 4, 4),)))
    from ganprune.gan_models.export.rewrites.call import Call

    (call,) = [Call(n, traced.network) for n in traced.network.graph.nodes if n.op == "call_function"]
    assert Rule("slow", ("conv2d",), "a", "b").concerns(call, "float32")
    assert not Rule("slow", ("conv1d",), "a", "b").concerns(call, "float32")
    assert not Rule("slow", ("conv2d",), "a", "b", dtypes=("int8",)).concerns(call, "float32")
