"""Features of the teacher's discriminator, compared between the outputs of student and teacher.

DCD (Li et al. 2023) takes the L1 distance in one layer of the teacher's discriminator, whose inputs are features of the
generators through trained connectors. Original to ganprune: the discriminator takes the outputs instead. The term is
the mean of |D(S) - D(T)| / mean |D(T)| over its convolutions except the last, so that one weight fits every
discriminator.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .matched_layers import recorded
from .term import Pair, Seen, Term

_MIN_MEAN_SHARE = 1e-6  # share of a feature's mean, below which it is empty


class JudgeFeatures(Term):
    """The relative difference of the discriminator's features."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        assert pair.judge is not None
        self._judge, self._shown = (
            (pair.judge,),
            pair.shown,
        )  # in a tuple, so that it is not a submodule, and neither trained nor saved
        with torch.no_grad():
            self._names = judge_layers(pair.judge, pair.shown(pair.inputs, pair.teacher(*pair.inputs)))

    def forward(self, seen: Seen) -> Tensor:
        """Return the mean relative difference over the layers."""
        (judge,) = self._judge
        with torch.no_grad(), recorded(judge, self._names) as wanted:
            judge(*self._shown(seen.inputs, seen.goal))
        with recorded(judge, self._names) as given:
            judge(*self._shown(seen.inputs, seen.output))
        shares = [
            (given[name].float() - wanted[name].float()).abs().mean()
            / wanted[name].float().abs().mean().clamp_min(_MIN_MEAN_SHARE)
            for name in wanted
        ]
        return torch.stack(shares).mean()


def judge_layers(judge: nn.Module, shown: tuple[Tensor, ...]) -> tuple[str, ...]:
    """Return the discriminator's convolutions in order of execution, without a last one that computes the scores."""
    names = [name for name, each in judge.named_modules() if isinstance(each, nn.modules.conv._ConvNd)]
    with torch.no_grad(), recorded(judge, names) as outputs:
        judge(*shown)
    found = tuple(outputs)
    last = [each for each in judge.modules() if not [*each.children()]][-1:]
    scores = bool(last) and bool(found) and judge.get_submodule(found[-1]) is last[0]
    return found[:-1] if scores and len(found) > 1 else found
