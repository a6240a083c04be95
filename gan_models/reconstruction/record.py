"""The record of one reconstruction: refitted weights, others with reasons, and errors. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RefittedLayer:
    """The refit of one weight of the cut network.

    Attributes:
        name: Its name in the network.
        kept: True if the fitted values are in the network.
        why: The reason if they are not.
        ridge: Ridge relative to the mean square of the layer's inputs; 0 if nothing was fitted.
        before, after: Squared error on held-out inputs, relative to the variance of the targets: of the weights after
            the cut, and of the present ones.
    """

    name: str
    kept: bool
    why: str = ""
    ridge: float = 0.0
    before: float | None = None
    after: float | None = None


@dataclass(frozen=True)
class Reconstruction:
    """The record of refitting a cut network.

    Attributes:
        kept: True if the refitted network is used: its outputs on unseen inputs are closer to the teacher's.
        why: The reason if it is not.
        before, after: Squared error of the outputs on unseen inputs, relative to their variance: of the plain cut, and
            refitted; None if it was not measured.
        layers: Every weight of a convolution or linear layer, in the order of calls.
        inputs: Number of calibration inputs that the layers were fitted to.
        held_out: Number of inputs that chose the ridges.
        unseen: Number of inputs of `before` and `after`.
        note: How inputs were changed to stay within the memory option; empty if they were not.
        teacher_macs, student_macs: Multiply-accumulates of the passes of convolutions and linear layers.
        seconds: Total time.
        fault: The exception that ended it, a bug in ganprune or in the network's own code; empty if there was none.
    """

    kept: bool
    why: str = ""
    before: float | None = None
    after: float | None = None
    layers: tuple[RefittedLayer, ...] = ()
    inputs: int = 0
    held_out: int = 0
    unseen: int = 0
    note: str = ""
    teacher_macs: int = 0
    student_macs: int = 0
    seconds: float = 0.0
    fault: str = ""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all passes."""
        return self.teacher_macs + self.student_macs

    @property
    def refitted(self) -> int:
        """Number of weights whose fitted values are in the network."""
        return sum(layer.kept for layer in self.layers) if self.kept else 0
