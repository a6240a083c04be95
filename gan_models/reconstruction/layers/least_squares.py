"""Least squares of one layer: the weights that fit its outputs to a teacher's, with a pull to the present weights.

W = W_S + (B - W_S A)(A + lambda I)^-1 with A = X'X, B = Y'X minimizes |Y - X W'|^2 + lambda |W - W_S|^2 (closed form of
ridge regression; the pull to W_S is original to ganprune). A bias is a column of ones without a penalty. Everything is
float64. With fewer rows than inputs, the same solution comes from the Gram matrix of the rows, X X'.

Shapes: G groups that share only the penalty, P rows, D inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
MAX_ERROR_RATIO = 1.1  # maximum ratio of a larger ridge's error to the lowest error


@dataclass(frozen=True)
class Part:
    """The rows of one part of a layer, which read the same entries of its kernel.

    An ordinary layer is one part. A transposed convolution has one part per phase of its stride; parts share the bias
    and no other weight.

    Attributes:
        inputs_GPD: The layer's inputs, per row.
        targets_GPO: Its target outputs.
        weights_GOD: Its present weights.
    """

    inputs_GPD: Tensor
    targets_GPO: Tensor
    weights_GOD: Tensor

    def double(self) -> Part:
        """Return the same part in float64."""
        return Part(self.inputs_GPD.double(), self.targets_GPO.double(), self.weights_GOD.double())

    def residual(self, bias_GO: Tensor | None) -> Tensor:
        """Return the targets minus the outputs of the weights, [G, P, O]."""
        given = self.inputs_GPD @ self.weights_GOD.mT
        return self.targets_GPO - (given if bias_GO is None else given + bias_GO[:, None])


@dataclass(frozen=True)
class Solution:
    """The weights of every part, in order, and their common bias."""

    weights_GOD: tuple[Tensor, ...]
    bias_GO: Tensor | None


class RidgeProblem:
    """The least-squares problem of one layer, solved for several ridges.

    Args:
        parts: Rows in float64.
        bias_GO: The present bias; None: the layer has none, or it must not change.
    """

    def __init__(self, parts: Sequence[Part], bias_GO: Tensor | None) -> None:
        self._parts, self._bias = parts, bias_GO
        self._right: list[Tensor] = []  # [residual, 1]: over the rows [G, P, O + 1] or the inputs [G, D, O + 1]
        self._sums: list[tuple[Tensor, Tensor]] = []  # means of the residual [G, O] and of the inputs [G, D]
        self._grams: list[Tensor] = []  # eigenvalues over inputs or rows, whichever are fewer
        trace, count = 0.0, 0
        for part in parts:
            inputs, residual = part.inputs_GPD, part.residual(bias_GO)
            right = torch.cat([residual, torch.ones_like(residual[..., :1])], -1)
            by_rows = _by_rows(part)
            self._grams.append(inputs @ inputs.mT if by_rows else inputs.mT @ inputs)
            self._right.append(right if by_rows else inputs.mT @ right)
            self._sums.append((residual.sum(1), inputs.sum(1)))
            trace += float(self._grams[-1].diagonal(dim1=-2, dim2=-1).sum())
            count += inputs.shape[0] * inputs.shape[2]
        self._scale = trace / max(count, 1)

    def solve(self, ridge: float) -> Solution:
        """Return the solution for a ridge relative to the mean of A's diagonal.

        Raises:
            torch.linalg.LinAlgError: The ridge is too small for linearly dependent inputs.
        """
        steps = [self._step(number, ridge * self._scale) for number in range(len(self._parts))]
        change: Tensor | None = None
        if self._bias is not None:
            numerator = torch.zeros_like(self._bias)
            denominator = torch.full_like(self._bias[..., :1], sum(part.inputs_GPD.shape[1] for part in self._parts))
            for (residual, inputs), step in zip(self._sums, steps, strict=True):
                projected = (step @ inputs[..., None])[..., 0]  # [G, O + 1]
                numerator, denominator = numerator + residual - projected[..., :-1], denominator - projected[..., -1:]
            change = numerator / denominator
        weights = []
        for part, step in zip(self._parts, steps, strict=True):
            own = step[:, :-1]
            if change is not None:
                own = own - change[..., None] * step[:, -1:]
            weights.append(part.weights_GOD + own)
        return Solution(tuple(weights), None if self._bias is None or change is None else self._bias + change)

    def _step(self, number: int, penalty: float) -> Tensor:
        """Return [residual, 1]' X (X'X + penalty)^-1 of one part, [G, O + 1, D]."""
        part, right, gram = self._parts[number], self._right[number], self._grams[number]
        damped = gram + penalty * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        lower = torch.linalg.cholesky(damped)
        if _by_rows(part):
            return torch.cholesky_solve(right, lower).mT @ part.inputs_GPD
        return torch.cholesky_solve(right, lower).mT


def _by_rows(part: Part) -> bool:
    """Return True if a part has fewer rows than inputs."""
    return part.inputs_GPD.shape[1] < part.inputs_GPD.shape[2]


def squared_error(parts: Sequence[Part], solution: Solution) -> float:
    """Return the sum of squared differences between targets and a solution's outputs for the parts' inputs."""
    solved = zip(parts, solution.weights_GOD, strict=True)
    return sum(
        float(Part(part.inputs_GPD, part.targets_GPO, weights).residual(solution.bias_GO).square().sum())
        for part, weights in solved
    )


@dataclass(frozen=True)
class Fit:
    """The best solution, with its errors on held-out rows, relative to the targets' variance.

    Attributes:
        solution: The solution; None if the present weights are better than every solution.
        ridge: Its ridge; 0 without a solution.
        before, after: Error of the present weights, and of the solution.
    """

    solution: Solution | None
    ridge: float
    before: float
    after: float


def fit(
    parts: Sequence[Part],
    other: Sequence[Part],
    bias_GO: Tensor | None,
    fixed_GO: Tensor | None = None,
    ridges: Sequence[float] = RIDGES,
) -> Fit:
    """Return the solution of the largest ridge whose error on held-out rows is within `MAX_ERROR_RATIO` of the lowest.

    The lowest error alone would choose weights that are exact on these rows, and large. On a compact upscaler of 17
    convolutions without norms, the output for an outlier of the test images was then 25 times as large as all others.

    Args:
        parts: Rows to fit.
        other: Held-out rows, per part.
        bias_GO: The initial bias; None: no bias is fitted.
        fixed_GO: A bias that is not changed.
        ridges: Candidates, relative to the mean of A's diagonal.
    """
    own = [_without(part.double(), fixed_GO) for part in parts]
    unseen = [_without(part.double(), fixed_GO) for part in other]
    bias = None if bias_GO is None else bias_GO.double()
    total = max(_variation(unseen), 1e-300)
    before = squared_error(unseen, Solution(tuple(part.weights_GOD for part in unseen), bias)) / total
    problem = RidgeProblem(own, bias)
    solved: list[tuple[float, float, Solution]] = []
    for ridge in ridges:
        try:
            solution = problem.solve(ridge)
        except torch.linalg.LinAlgError:
            continue
        error = squared_error(unseen, solution) / total
        if error < before:
            solved.append((error, ridge, solution))
    if not solved:
        return Fit(None, 0.0, before, before)
    lowest = min(error for error, _, _ in solved)
    after, chosen, best = max((one for one in solved if one[0] <= MAX_ERROR_RATIO * lowest), key=lambda one: one[1])
    return Fit(best, chosen, before, after)


def with_weights(
    parts: Sequence[Part],
    other: Sequence[Part],
    weights_GOD: Sequence[Tensor],
    found: Fit,
    fixed_GO: Tensor | None = None,
) -> Fit:
    """Return a fit with other weights and the best bias for them; without a solution if the error is larger.

    Args:
        parts: Rows to fit.
        other: Held-out rows, per part.
        weights_GOD: The weights, per part.
        found: The fit without a restriction of weights.
        fixed_GO: A bias that is not changed.
    """
    weights = tuple(each.double() for each in weights_GOD)
    own = [_without(part.double(), fixed_GO) for part in parts]
    unseen = [_without(part.double(), fixed_GO) for part in other]
    bias = None
    if found.solution is not None and found.solution.bias_GO is not None:
        rows = [
            Part(part.inputs_GPD, part.targets_GPO, each).residual(None)
            for part, each in zip(own, weights, strict=True)
        ]
        bias = torch.cat(rows, 1).mean(1)
    solution = Solution(weights, bias)
    after = squared_error(unseen, solution) / max(_variation(unseen), 1e-300)
    return replace(found, solution=solution, after=after) if after < found.before else replace(found, solution=None)


def _without(part: Part, fixed_GO: Tensor | None) -> Part:
    if fixed_GO is None:
        return part
    return Part(part.inputs_GPD, part.targets_GPO - fixed_GO.double()[:, None], part.weights_GOD)


def _variation(parts: Sequence[Part]) -> float:
    """Return the summed squared distance of the targets from their means."""
    targets = torch.cat([part.targets_GPO for part in parts], 1)
    return float((targets - targets.mean(1, keepdim=True)).square().sum())
