"""The record of one reconstruction: what was refitted, what was not and why, and what it changed. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RefittedLayer:
    """One weight of the cut network.

    Attributes:
        name: Its name in the network.
        kept: The fitted values are in the network.
        why: The reason if they are not.
        ridge: Relative to the mean square of the layer's inputs; 0 if nothing was fitted.
        before, after: Squared error on inputs that it was not fitted to, relative to the variance of the targets: of
            the weights as they were cut, and as they are now.
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
        kept: The refitted network was kept: its outputs on unseen inputs are nearer to the teacher's.
        why: The reason if it was not.
        before, after: Squared error of the outputs on unseen inputs, relative to their variance: of the plain cut, and
            refitted; None if it was not measured.
        layers: Every weight of a convolution or linear layer, in the order of calls.
        inputs: Calibration inputs that the layers were fitted to.
        held_out: Those that chose the ridges.
        unseen: Those that `before` and `after` are of.
        note: How inputs were changed to stay within the memory option; empty if they were not.
        teacher_macs, student_macs: Multiply-accumulates of the passes of convolutions and linear layers.
        seconds: All of it.
        fault: The exception that ended it, a defect of ganprune or of the network's own code; empty if there was none.
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
        """Weights whose fitted values are in the network."""
        return sum(layer.kept for layer in self.layers) if self.kept else 0
