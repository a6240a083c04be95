"""Networks that cannot be traced are refused in one plain line, and torch says nothing beside it."""

import logging

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.tracing.graph.export import NotTraceable
from torch import Tensor, nn


class Odd(nn.Module):
    """Joins two images that have the same size where the input's is even."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        small = nn.functional.max_pool2d(x, 2)
        return self.last(torch.cat([self.first(x), self.first(nn.functional.interpolate(small, scale_factor=2))], 1))


class Counted(Odd):
    """As many positive pixels as there are decide."""

    def forward(self, x: Tensor) -> Tensor:
        if x[x > 0].shape[0] == 1:
            return super().forward(x)
        return 2 * super().forward(x)


class ByClass(Odd):
    """Takes a class beside the image, and may take noise."""

    def forward(self, x: Tensor, y: Tensor, noise: Tensor | None = None) -> Tensor:
        return super().forward(x) + y


def refused(model: nn.Module, *shape: int) -> str:
    with pytest.raises(NotTraceable) as caught:
        find_groups(model, torch.empty(1, *shape))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_size_that_does_not_fit_is_said_with_its_line_and_nothing_is_logged():
    """torch logs the whole traceback through a logger of its own, at the level of errors."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger = logging.getLogger("torch")
    level = logger.level
    logger.addHandler(handler)
    try:
        message = refused(Odd(), 3, 7, 7)
    finally:
        logger.removeHandler(handler)
    assert "test_trace_errors.py:" in message
    assert "`return self.last(torch.cat(" in message
    assert "Sizes of tensors must match" in message
    assert not records
    assert logger.level == level
    assert not logging.getLogger("torch._subclasses.fake_tensor").disabled


def test_a_branch_on_data_is_said_in_plain_words_with_its_line():
    """No symbol of torch's is in the message, and the place is there even where torch does not print it."""
    message = refused(Counted(), 3, 8, 8)
    assert "test_trace_errors.py:" in message
    assert "`if x[x > 0].shape[0] == 1:`: a shape or a branch is data-dependent" in message
    assert "guard" not in message
    assert "u0" not in message


def test_a_forward_with_more_inputs_is_told_that_a_wrapper_makes_it_one():
    """The inputs that must be given are named; one with a default is none of them."""
    message = refused(ByClass(), 3, 8, 8)
    assert "its forward takes x, y: got 1 input. Try to name each input's kind" in message
    assert "--input-shape" in message
    assert "wrapper" in message
