"""The lint of a network: what a runtime will not run well, by module, before anything is trained or written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import fx

from ...files.texts.number_text import counted, percent
from ..catalog import EXPORTERS
from ..exporter import ExportJob
from ..program import trace
from ..rewrites.call import Call
from ..rewrites.graph import RewrittenNetwork, plain_network, rewrite_program
from .catalog import RUNTIME_RULES, rules_of
from .macs import layer_macs, nearest_layers
from .rule import KINDS, Rule, operator_name

SHOWN_MODULES = 3


@dataclass(frozen=True)
class LintFinding:
    """One rule of a runtime with the calls of a network that it concerns.

    Attributes:
        rule: The rule.
        operators: Operator -> calls.
        modules: The modules that make the calls, in order.
        share: Part of the network's multiply-accumulates that these calls do; of calls that do none, that the layers
            nearest to them do.
        rewrites: Rewrites by which the exporter removes these calls; empty if they stay.
    """

    rule: Rule
    operators: Mapping[str, int]
    modules: tuple[str, ...]
    share: float
    rewrites: tuple[str, ...] = ()

    @property
    def removed(self) -> bool:
        """True if the exporter's rewrites remove the calls."""
        return bool(self.rewrites)

    @property
    def where(self) -> str:
        """The modules in words, the first ones by name."""
        more = len(self.modules) - SHOWN_MODULES
        return ", ".join(self.modules[:SHOWN_MODULES]) + (f" and {more} more" if more > 0 else "")

    @property
    def line(self) -> str:
        """The finding as one line."""
        return f"{self.rule.kind}: {self.concerned}"

    @property
    def concerned(self) -> str:
        """The calls with their share, their modules and the reason."""
        return f"{self.calls} ({percent(self.share)}% of MACs, {self.where}): {self.rule.text}"

    @property
    def calls(self) -> str:
        """The calls in words: how many of which operators."""
        return ", ".join(f"{n} {name}" for name, n in self.operators.items())


@dataclass(frozen=True)
class Traced:
    """A network as it is looked at.

    Attributes:
        program: Its program at fixed sizes.
        network: The program's network.
        macs: Call -> multiply-accumulates.
    """

    program: torch.export.ExportedProgram
    network: fx.GraphModule
    macs: Mapping[str, int]

    @classmethod
    def of(cls, job: ExportJob) -> Traced:
        """Trace the network of a job at the sizes of its inputs.

        Raises:
            NoProgram: `torch.export` cannot trace it.
        """
        program = trace(replace(job, inputs=tuple(x[:1] for x in job.inputs), free_batch=False, strides=()))
        network = plain_network(program)
        return cls(program, network, layer_macs(network))

    def lint(self, name: str, dtype: str = "float32") -> tuple[LintFinding, ...]:
        """Return the findings of a runtime's rules, those that stay first, the worst kind first.

        Args:
            name: A row of the rules.
            dtype: Data type of the file.

        Raises:
            UserError: There is no such row.
        """
        rewritten = rewrite_program(self.program, EXPORTERS.find(RUNTIME_RULES.find(name).format).rewrites)
        found: list[LintFinding] = []
        for rule in rules_of(name):
            concerned = [call for call in _calls(self.network) if rule.concerns(call, dtype)]
            if not concerned:
                continue
            # A rewrite may replace a call by one of the same operator, as folding a norm does.
            left = {_kind(call) for call in _calls(rewritten.network) if rule.concerns(call, dtype)}
            stays = [call for call in concerned if _kind(call) in left]
            gone = [call for call in concerned if _kind(call) not in left]
            found += [self._finding(rule, stays)] if stays else []
            found += [self._finding(rule, gone, rewritten)] if gone else []
        return tuple(sorted(found, key=lambda each: (each.removed, KINDS.index(each.rule.kind), -each.share)))

    def _finding(self, rule: Rule, calls: list[Call], rewritten: RewrittenNetwork | None = None) -> LintFinding:
        layers = {layer for call in calls for layer in nearest_layers(call.node, self.macs)}
        names = {(call.operator, call.module) for call in calls}
        by = () if rewritten is None else [c.rewrite for c in rewritten.calls if (c.operator, c.module) in names]
        return LintFinding(
            rule,
            dict(Counter(operator_name(call) for call in calls)),
            tuple(dict.fromkeys(call.module or "the network itself" for call in calls)),
            sum(self.macs[layer] for layer in layers) / max(1, sum(self.macs.values())),
            tuple(dict.fromkeys(by)) or (("constants",) if rewritten is not None else ()),
        )


def _calls(network: fx.GraphModule) -> list[Call]:
    nodes = [node for node in network.graph.nodes if isinstance(node.target, torch._ops.OpOverload) and node.users]
    return [Call(node, network) for node in nodes]


def _kind(call: Call) -> tuple[str, str]:
    """Return operator and module of a call: a traced network and its rewritten form have them in common."""
    return operator_name(call), call.module


def summary(findings: tuple[LintFinding, ...]) -> str:
    """Return findings in one clause: how many of each kind stay."""
    counts = Counter(each.rule.kind for each in findings if not each.removed)
    return ", ".join(f"{counted(counts[kind], 'finding')} of kind {kind}" for kind in KINDS if counts[kind])
