"""Reasons that channels are left unpruned, as coded values, each with a change that makes the channels prunable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

MUST_STAY = "nothing: "  # beginning of the advice if the channels must stay


@dataclass(frozen=True)
class UnprunedReason:
    """The reason that the channels of a module or group are left unpruned.

    Attributes:
        code: Name of the reason, for programs: `reads_input`, `no_rule`.
        text: The reason in words, with the calls and modules concerned.
        advice: Change of the network or the command that helps; begins with `MUST_STAY` if there is none.
    """

    code: str
    text: str
    advice: str

    def __str__(self) -> str:
        return self.text

    def followed(self) -> UnprunedReason:
        """Return the reason of a module whose channels follow others that stay for this reason."""
        return replace(self, text=f"{Why.FOLLOWS.text}: {self.text}")


class Why(Enum):
    """The kinds of reasons: text with placeholders, and advice. Calling one returns the reason."""

    WRITES_OUTPUT = ("writes the network's output", MUST_STAY + "an image must keep its channels")
    READS_INPUT = ("reads the network's input", MUST_STAY + "an input must keep its channels")
    NETWORK_INPUT = (
        "comes from the network's input or a constant",
        MUST_STAY + "what comes from the input, or from a constant, keeps its channels",
    )
    NOT_CHOSEN = ("left out by --prune", "give --prune a pattern that matches it")
    CHOSEN_TO_STAY = ("kept by --keep {pattern!r}", "take the pattern out of --keep")
    LEFT_WHOLE = ("not pruned by the study", "start a study with other --prune and --keep patterns")
    ALL_TIED = (
        "has channels that all go together",
        "see the calls that read them: a slice at an odd place, a roll, or a sum of unequal parts ties each to the "
        "next",
    )
    NO_READER = (
        "nothing with weights reads its channels",
        "put a convolution or linear layer after it, or leave the module out",
    )
    SINGLE_CHANNEL = ("writes a single channel", MUST_STAY + "the last channel cannot go")
    NOT_CALLED = (
        "is not called, or nothing uses what it gives",
        "leave the module out: its parameters count",
    )
    FOLLOWS = ("goes with channels that stay", MUST_STAY + "see the module that writes its channels")
    FIXED_SIZE = (
        "the network's code fixes its size: {message}",
        "take the size from a tensor's shape, or -1, instead of a number",
    )
    BREAKS_WHEN_CUT = (
        "the network's code fails if it is cut: {message}{line}",
        "take sizes from a tensor's shape, or -1, instead of numbers",
    )
    DIFFERS_WHEN_CUT = (
        "a cut differs from gating its channels off: by {difference} of the largest output{line}",
        "make that line act per channel, or do not take part of the channels by their number",
    )
    NO_RULE = (
        "meets {call}, which has no channel rule",
        "use a call that works element by element or on the image's axes, or a layer of torch.nn",
    )
    FIXED_BORDER = (
        "{call} takes channels by a number in the code",
        "take the border from the tensor's shape, such as x.shape[1] // 2",
    )
    NOT_FOLLOWED = (
        "cannot be followed at {call}, kept whole",
        "use a call that works element by element or on the image's axes, or a layer of torch.nn",
    )
    SHAPE_FACTOR = (
        "{call} computes a number from its size",
        "store the number at full width as an attribute, and use it instead of the size",
    )
    ORDERED = (
        "{call} compares or orders channels",
        "compare along the image's axes, or let a convolution with one output decide",
    )
    PICKS_CHANNEL = (
        "{call} picks a single channel",
        "slice a range of channels, or write that channel by a layer of its own",
    )
    JOINS_CONSTANT = (
        "concatenated in {module} with something that has no channels",
        "concatenate only what layers made; pass a constant through a 1x1 convolution",
    )
    TWO_CHANNEL_AXES = (
        "{name} joins tensors with channels on two axes",
        "concatenate before channels move to another axis",
    )
    FUNCTIONAL_NORM = (
        "{name} is called as a function in {module}; use nn.{layer}",
        "use the module of torch.nn, so that it can leave dropped channels out",
    )
    NORM_OVER_MORE = (
        "{module} normalizes channels together with other axes",
        "normalize over the channels alone, or use nn.GroupNorm",
    )
    RESAMPLED = ("{name} resamples an axis that carries channels", "move channels to axis 1 before it is resampled")
    PADDED = (
        "{call} pads an axis that carries channels",
        "widen by a 1x1 convolution instead of padding channels",
    )
    REDUCED = ("{call} reduces over channels", "make the sum or mean a 1x1 convolution with one output")
    SUMMED = ("{call} sums over channels", "make the product a linear layer, whose weight can be cut")
    SOFTMAX = ("{call} normalizes over channels", "use a sigmoid, or a softmax over the image's axes")
    COMPOSED_WEIGHT = (
        "{call} uses a weight that is composed of others",
        "give the layer one weight of its own, or use torch's weight or spectral norm",
    )
    COMPUTED_WEIGHT = (
        "is used by {call} with a computed weight",
        "give the layer a weight of its own, and multiply its input or output by what was computed",
    )
    DEPTHWISE = ("multiplies a depthwise convolution", "make channel multiplier and convolution two layers")
    ROW_AXIS = (
        "is a row axis of {call}",
        "permute so that channels are the last axis when the product is taken",
    )
    PICKED_ROWS = (
        "is a row that {call} picks by its number",
        MUST_STAY + "rows are picked by number; the table's columns can go",
    )
    ROW_NUMBERS = (
        "gives the numbers of rows that {call} picks",
        MUST_STAY + "what is looked up keeps its rows; the table's columns can go",
    )
    PARAMETER_AXIS = (
        "{name} combines it with {parameter} on an axis that carries no channels (its first two do)",
        "give the parameter a layer's axes: output, input, then the rest",
    )
    BARE_AXIS = (
        "{name} combines it with an axis that carries no channels",
        "let a layer make the other operand, or give it size 1 on that axis",
    )
    BARE_NORM = ("meets a norm's parameter that carries no channels", "let a layer make what is normalized")
    BARE_WEIGHT = ("meets a weight's axis that carries no channels", "use the weight as it is, without moving its axes")
    BARE_BIAS = ("meets a bias that carries no channels", "use the bias as it is, without moving its axes")
    BARE_SLOPE = ("meets slopes that carry no channels", "use one slope, or one per channel that a layer made")
    BARE_REDUCED = ("is reduced over more axes than the image's", "reduce over the image's axes alone")

    def __init__(self, text: str, advice: str) -> None:
        self.text, self.advice = text, advice

    @property
    def code(self) -> str:
        """The reason's name for programs."""
        return self.name.lower()

    def saying(self, text: str) -> UnprunedReason:
        """Return the reason in a caller's own wording."""
        return UnprunedReason(self.code, text, self.advice)

    def __call__(self, **places: str) -> UnprunedReason:
        """Return the reason with its placeholders filled in."""
        return UnprunedReason(self.code, self.text.format(**places), self.advice)
