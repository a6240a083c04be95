"""Ridge regression of one layer against torch's least squares, in float64."""

import pytest
import torch
from ganprune.gan_models.reconstruction.layers.least_squares import Part, RidgeProblem, Solution, fit, squared_error


def _part(rows: int, inputs: int, outputs: int, groups: int = 1, seed: int = 0) -> Part:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(groups, *shape, generator=generator, dtype=torch.float64)

    return Part(normal(rows, inputs) + 0.5, normal(rows, outputs), normal(outputs, inputs))


@pytest.mark.parametrize("rows", [40, 7])
@pytest.mark.parametrize("has_bias", [False, True])
def test_solution_is_that_of_stacked_least_squares(rows: int, has_bias: bool):
    """The solution equals torch's for [X, 1; sqrt(l) I, 0] and [Y; sqrt(l) W_S], with more and with fewer rows."""
    part, ridge = _part(rows, 12, 3, groups=2), 0.03
    bias = torch.ones(2, 3, dtype=torch.float64) if has_bias else None
    found = RidgeProblem([part], bias).solve(ridge)
    penalty = ridge * float(part.inputs_GPD.square().sum()) / 24  # the mean of A's diagonal over both groups
    for g in range(2):
        ones, zeros, eye = torch.ones(rows, has_bias), torch.zeros(12, has_bias), torch.eye(12, dtype=torch.float64)
        left = torch.cat([torch.cat([part.inputs_GPD[g], ones], 1), torch.cat([penalty**0.5 * eye, zeros], 1)])
        right = torch.cat([part.targets_GPO[g], penalty**0.5 * part.weights_GOD[g].T])
        expected = torch.linalg.lstsq(left, right, driver="gelsd").solution
        torch.testing.assert_close(found.weights_GOD[0][g], expected[:12].T, rtol=1e-9, atol=1e-9)
        if found.bias_GO is not None:
            torch.testing.assert_close(found.bias_GO[g], expected[12], rtol=1e-9, atol=1e-9)


def test_large_ridge_keeps_the_weights_that_are_there():
    """At a ridge towards infinity the weights stay."""
    part = _part(50, 6, 2)
    found = RidgeProblem([part], None).solve(1e12)
    torch.testing.assert_close(found.weights_GOD[0], part.weights_GOD, rtol=0, atol=1e-9)


@pytest.mark.parametrize("rows", [(40, 30), (40, 4)])
def test_parts_share_their_bias(rows: tuple[int, int]):
    """Two parts give what one problem with block-diagonal inputs and one bias gives."""
    one, two = _part(rows[0], 6, 3, seed=1), _part(rows[1], 6, 3, seed=2)
    bias = torch.zeros(1, 3, dtype=torch.float64)
    found = RidgeProblem([one, two], bias).solve(0.01)
    joined = Part(
        torch.block_diag(one.inputs_GPD[0], two.inputs_GPD[0])[None],
        torch.cat([one.targets_GPO, two.targets_GPO], 1),
        torch.cat([one.weights_GOD, two.weights_GOD], 2),
    )
    expected = RidgeProblem([joined], bias).solve(0.01)
    torch.testing.assert_close(torch.cat(found.weights_GOD, 2), expected.weights_GOD[0], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.bias_GO, expected.bias_GO, rtol=1e-9, atol=1e-9)


def test_fit_is_refused_if_weights_are_better_on_other_rows():
    """Weights that made the held-out targets are kept, whatever the other rows say."""
    part, other = _part(20, 15, 2, seed=3), _part(200, 15, 2, seed=4)
    exact = Part(other.inputs_GPD, other.inputs_GPD @ part.weights_GOD.mT, part.weights_GOD)
    found = fit([part], [exact], None)
    assert found.solution is None
    assert found.after == found.before < 1e-20


def test_ridge_is_the_largest_one_whose_error_is_within_a_tenth_of_the_lowest():
    """The candidate nearest to the old weights is taken among those about as good as the best on held-out rows."""
    part, other, candidates = _part(30, 20, 2, seed=5), _part(100, 20, 2, seed=6), (1e-6, 1e-3, 1e-2, 3e-2, 0.1, 1.0)
    found = fit([part], [other], None, ridges=candidates)
    errors = {r: squared_error([other], RidgeProblem([part], None).solve(r)) for r in candidates}
    assert found.ridge == max(r for r, error in errors.items() if error <= 1.1 * min(errors.values()))
    assert len({error <= 1.1 * min(errors.values()) for error in errors.values()}) == 2  # some are, some are not


def test_fixed_bias_counts_as_part_of_the_target():
    """A layer whose bias must stay is fitted to what the bias leaves."""
    part = _part(40, 5, 2, seed=7)
    made = Part(part.inputs_GPD, part.inputs_GPD @ part.weights_GOD.mT + 3.0, torch.zeros_like(part.weights_GOD))
    found = fit([made], [made], None, torch.full((1, 2), 3.0), ridges=(1e-14,))
    assert isinstance(found.solution, Solution)
    torch.testing.assert_close(found.solution.weights_GOD[0], part.weights_GOD, rtol=1e-9, atol=1e-9)
