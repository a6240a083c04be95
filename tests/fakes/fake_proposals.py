"""A small search space without networks: two methods, a ladder of three."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganprune.gan_models.pruning.proposal import Proposal
from optuna.distributions import BaseDistribution, FloatDistribution


@dataclass(frozen=True)
class FakeProposals:
    methods: tuple[str, ...] = ("uniform", "widths")
    rungs_of_ladder: int = 3
    coarse: bool = False

    def distributions(self, method: str) -> Mapping[str, BaseDistribution]:
        target = FloatDistribution(0.125, 1.0, log=True)
        return {"target": target} if method == "uniform" else {"target": target, f"{method}.x": FloatDistribution(0, 1)}

    def decode(self, method: str, params: Mapping[str, Any], seed: int) -> tuple[Proposal, dict[str, Any]]:
        x = params.get(f"{method}.x", 0.5)
        widths = (
            {"a": max(1, round(4 * params["target"]))} if self.coarse else {"a": max(1, round(64 * params["target"]))}
        )
        return Proposal(method, {"x": x}, params["target"], "macs", widths), dict(params)

    def identity(self, proposal: Proposal) -> str:
        return f"{proposal.method}:{proposal.widths}" if self.coarse else ""

    def ladder(self):
        return [("uniform", {"target": 1.0 / 2**i}) for i in range(self.rungs_of_ladder)]

    def starts(self, method: str):
        return []

    def solved_point(self, method, target, index):
        return None

    def starts_from_plans(self, method):
        return False

    def start_plans(self, plans, target):
        return ()

    def takes_plans(self, method: str) -> bool:
        return method == "widths"

    def translate(self, widths: Mapping[str, int], target: float, bits: int, to: str, recipe: Mapping[str, float]):
        return {"target": target, f"{to}.x": 0.5} if to == "widths" and "a" in widths else None
