"""What to change in a network so that channels which had to stay become prunable, by the reason why they stay."""

from __future__ import annotations

NOTHING = "nothing: "
# (part of the reason, what to change); the first that matches counts. A test holds that no reason is left out.
ADVICE: tuple[tuple[str, str], ...] = (
    ("writes the network's output", NOTHING + "an image must keep its channels"),
    ("the network's input", NOTHING + "an input must keep its channels"),
    ("network input", NOTHING + "what comes from the input, or from a constant, keeps its channels"),
    ("--prune", "give --prune a pattern that matches it"),
    ("--keep", "take the pattern out of --keep"),
    ("nothing with weights reads", "put a convolution or linear layer after it, or leave the module out"),
    ("writes a single channel", NOTHING + "the last channel cannot go"),
    ("is not called", "leave the module out: its parameters count"),
    ("goes with channels that stay", NOTHING + "see the module that writes its channels"),
    ("code fixes its size", "take the size from a tensor's shape, or -1, in the place of a number"),
    ("has no channel rule", "use a call that works element by element or on the image's axes, or a layer of torch.nn"),
    ("picks a single channel", "slice a range of channels, or write that channel by a layer of its own"),
    ("something that has no channels", "concatenate only what layers made; pass a constant through a 1x1 convolution"),
    ("channels on two axes", "concatenate before channels move to another axis"),
    ("is called as a function", "use the module of torch.nn, so that it can leave dropped channels out"),
    ("normalises channels together with other axes", "normalise over the channels alone, or use nn.GroupNorm"),
    ("resamples an axis", "move channels to axis 1 before it is resampled"),
    ("pads an axis", "widen by a 1x1 convolution in the place of padding channels"),
    ("reduces over channels", "make the sum or mean a 1x1 convolution with one output"),
    ("sums over channels", "make the product a linear layer, whose weight can be cut"),
    ("normalises over channels", "use a sigmoid, or a softmax over the image's axes"),
    ("put together from others", "give the layer one weight of its own, or use torch's weight or spectral norm"),
    ("computed weight", "give the layer a weight of its own, and multiply its input or output by what was computed"),
    ("multiplies a depthwise", "make channel multiplier and convolution two layers"),
    ("is a row axis", "permute so that channels are the last axis when the product is taken"),
    ("of two activations", "make one factor a weight, or project by linear layers before and after"),
    ("is a row that", NOTHING + "rows are picked by number; the table's columns can go"),
    ("gives the numbers of rows", NOTHING + "what is looked up keeps its rows; the table's columns can go"),
    (
        "(its first two do)",
        "give the parameter a layer's axes: output, input, then the rest",
    ),
    ("axis that carries no channels", "let a layer make the other operand, or give it size 1 on that axis"),
    ("norm", "let a layer make what is normalised"),
    ("weight", "use the weight as it is, without moving its axes"),
    ("bias", "use the bias as it is, without moving its axes"),
    ("slope", "use one slope, or one a channel that a layer made"),
    ("vector", "let a layer make the vector"),
    ("reduced", "reduce over the image's axes alone"),
)


def what_to_change(reason: str) -> str:
    """Advice for a reason of `Unpruned`; `NOTHING` starts it where the channels must stay."""
    return next(
        (advice for part, advice in ADVICE if part in reason), "keep the channels on axis 1 from layer to layer"
    )
