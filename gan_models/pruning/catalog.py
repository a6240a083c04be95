"""Pruning methods by name. Imports no torch, so that the space and the command line know all of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..files.errors import UserError
from .method import Method, MethodSpec, Setting

if TYPE_CHECKING:
    from torch import nn

    from ..groups.channel_groups import ChannelGroups

TRAINED = "bytes in training"  # the column of `method_sizes` that says what must fit into memory

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

_CORONET = (
    Setting("init", "teacher", choices=("teacher", "random"), note="start from the teacher's weights, or from none"),
    Setting("embedding", 8, choices=(8, 4, 2, 1), note="numbers between a pair of latents and its kernel; sets memory"),
    Setting("hyper_lr", 0.3, low=0.03, high=1.0, log=True, note="rate of the hypernetwork over the recipe's"),
    Setting("latent_lr", 1.0, low=0.2, high=5.0, log=True, note="rate of the latents over the recipe's"),
    Setting("share", 1.0, low=0.3, high=1.0, note="share of the pruning steps in which the target is reached"),
    Setting("schedule", 0.0, low=0.0, high=3.0, note="lambda: 0 shrinks the latents evenly, 3 mostly early"),
    Setting("coupling", 0.2, low=0.0, high=1.0, note="share of the teacher's weights that the latents scale"),
    Setting(
        "sensitivity", 0.5, low=0.0, high=1.0, note="latents that the loss depends on are pulled less: 0 all alike"
    ),
    Setting("gated", True, choices=(True, False), note="whether fallen channels leave the forward pass before the cut"),
    _BY_COST,
)

_ON_OFF = (True, False)
_MGGC = (
    Setting("k", 8, choices=(2, 4, 8, 16, 32), note="neighbours of a Center on the learned manifold"),
    Setting("encoder", "trial", choices=("trial", "discriminator"), note="whose features say what is near"),
    Setting(
        "density",
        "both",
        choices=("both", "adversarial", "kernel", "off"),
        note="which form of the density term",
        searched=False,
    ),
    Setting(
        "condition",
        "input",
        choices=("input", "centre"),
        note="what a conditional discriminator sees as input",
        searched=False,
    ),
    Setting(
        "agent", "gru", choices=("gru", "logits"), note="recurrent agents, or one free logit a channel", searched=False
    ),
    Setting("feedback", True, choices=_ON_OFF, note="whether the agents hear each other", searched=False),
    Setting(
        "prune_discriminator", True, choices=_ON_OFF, note="whether the discriminator is pruned as well", searched=False
    ),
    Setting("discriminator_target", 0.5, low=0.2, high=1.0, log=True, note="share of the discriminator's MACs"),
    Setting("share", 1.0, low=0.3, high=1.0, note="share of the pruning steps that agents use; the rest fine-tunes"),
    Setting("lr", 2e-3, low=5e-4, high=1e-2, log=True, note="learning rate of the agents"),
    Setting("temperature", 0.4, low=0.2, high=1.0, log=True, note="of the Gumbel-sigmoid"),
    Setting("prior", 0.7, low=0.0, high=1.5, note="weight of the L1 importance that the agents start from; 0 is off"),
    Setting("weight_adversarial", 1.0, low=0.1, high=10.0, log=True, note="of the adversarial form"),
    Setting("weight_kernel", 1.0, low=0.1, high=10.0, log=True, note="of the kernel form"),
    Setting("weight_output", 10.0, low=0.0, high=100.0, note="of the distance to the teacher's output; 0 is off"),
    Setting("weight_cost", 1.0, low=0.1, high=10.0, log=True, note="first weight of the cost; it follows the target"),
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
    "coronet": MethodSpec(
        "coronet.method:Coronet",
        "learned",
        settings=_CORONET,
        trains=True,
        sizes="coronet.generated_weights:size_rows",
        note="a hypernetwork makes the weights from one latent a channel; l1 on the latents while the GAN trains",
    ),
    "slimming": MethodSpec(
        "slimming.method:Slimming",
        "learned",
        trains=True,
        settings=(
            Setting("scale_rate", 0.3, low=0.03, high=3.0, log=True, note="how far gradients can move a scale"),
            Setting("weight_rate", 1.0, low=0.1, high=2.0, log=True, note="rates of the networks, of the recipe's"),
            Setting("importance_exponent", 3.0, low=0.0, high=6.0, note="weak channels shrink faster; 0 is published"),
            Setting("cost_exponent", 0.25, low=0.0, high=1.0, note="dear channels shrink faster; 0 is published"),
            Setting(
                "sensitivity", 0.25, low=0.0, high=1.0, note="what the loss depends on shrinks slower; 0 is published"
            ),
            Setting("knee", 0.1, low=0.02, high=1.0, log=True, note="a scale above acts as 1; 1 is published"),
            Setting("objective", "20dist+gan", choices=("20dist+gan", "dist+0.001gan", "gan"), searched=False),
            Setting("distance", "perceptual+l1", choices=("perceptual+l1", "perceptual", "l1", "mse"), searched=False),
            Setting("form", "led", choices=("led", "published"), searched=False),
            Setting("order", "auto", choices=("auto", "joint", "sequential"), searched=False),
        ),
        note="GAN Slimming: scales shrunk to zero while the network learns from its teacher",
    ),
    "mggc": MethodSpec(
        "mggc.method:Mggc",
        "learned",
        settings=_MGGC,
        trains=True,
        note="two collaborating agents prune generator and discriminator, keeping local density",
    ),
}


def method_spec(name: str) -> MethodSpec:
    """The catalog's entry.

    Raises:
        ValueError: Unknown name; the message lists the known ones.
    """
    if name not in METHODS:
        raise UserError(f"method {name!r} is unknown; known: {', '.join(METHODS)}")
    return METHODS[name]


def check_fixed(settings: Mapping[str, Any]) -> None:
    """Settings that a study fixes, by "method.setting"; one that would be searched is then no dimension.

    Raises:
        ValueError: One that is not known, or has a value that it does not allow.
    """
    known = {f"{method}.{s.name}": s for method, spec in METHODS.items() for s in spec.settings}
    for name, value in settings.items():
        if name not in known:
            method = name.partition(".")[0]
            own = [other for other in known if other.startswith(f"{method}.")]
            say = (
                f"{method} has {', '.join(own) or 'none'}"
                if method in METHODS
                else f"use METHOD.NAME, METHOD one of {', '.join(METHODS)}"
            )
            raise UserError(f"setting {name!r} cannot be set; {say}")
        if not known[name].allows(value):
            raise UserError(f"setting {name}={value} is not possible; use {known[name].allowed}")


def fixed_for(method: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A method's own of these settings, without its name."""
    prefix = f"{method}."
    return {name.removeprefix(prefix): value for name, value in settings.items() if name.startswith(prefix)}


def make_method(name: str) -> Method:
    """The method itself. Raises ValueError for an unknown name."""
    return _attribute(method_spec(name).implementation)()


def method_sizes(name: str, model: nn.Module, groups: ChannelGroups) -> list[dict[str, int]]:
    """What a method holds in memory beside the networks, by setting; empty where that is nothing worth naming.

    Raises:
        ValueError: Unknown name.
    """
    sizes = method_spec(name).sizes
    return _attribute(sizes)(model, groups) if sizes else []


def _attribute(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(import_module(f".{module}", __package__), attribute)
