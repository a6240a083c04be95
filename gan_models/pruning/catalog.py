"""Pruning methods by name. Imports no torch, so that the space and the command line know all of them."""

from __future__ import annotations

from importlib import import_module

from .method import Method, MethodSpec, Setting

_BY_COST = Setting(
    "cost_exponent",
    0.05,
    low=0.01,
    high=0.3,
    # Scores inside a group differ by tens of percent, costs between groups by factors of ten: near 1 the ranking is
    # by cost alone and whole groups fall to their floor (measured: fd[shapes] 20 where uniform has 12), so the
    # range ends at 0.3 and most draws are small.
    log=True,
    note="a channel's score is divided by its cost to this power: near 0 ignores cost, 1 would rank per MAC",
)

METHODS: dict[str, MethodSpec] = {
    "uniform": MethodSpec("baselines:Uniform", "given", note="the same share of every group, strongest channels stay"),
    "widths": MethodSpec(
        "baselines:GivenWidths",
        "given",
        searches_ratios=True,
        note="one share a group from the search space, strongest channels stay",
    ),
    "magnitude": MethodSpec(
        "baselines:Magnitude", "learned", settings=(_BY_COST,), note="global ranking of all channels by L1 norm per MAC"
    ),
}


def method_spec(name: str) -> MethodSpec:
    """The catalog's entry.

    Raises:
        ValueError: Unknown name; the message lists the known ones.
    """
    if name not in METHODS:
        raise ValueError(f"method {name!r} is unknown; known: {', '.join(METHODS)}")
    return METHODS[name]


def make_method(name: str) -> Method:
    """The method itself. Raises ValueError for an unknown name."""
    module, _, attribute = method_spec(name).implementation.partition(":")
    return getattr(import_module(f".{module}", __package__), attribute)()
