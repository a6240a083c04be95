"""The protocol of a metric, which yields one or more numbers about a generator's images. Imports no torch.

A metric is one file and one row of `catalog.METRICS`. Another package adds a row through an entry point of the group
`ganprune.metrics`; a user's own class is named by path, `package.module:Class` or `file.py:Class`.

Shapes: n images per batch, N in total, d features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.user_code import UserCodeFailed, failed, first_line, load_named, place_of
from ..measurement import Measurement
from .own_function import OwnFunction, is_function, lower_is_better, measurement_name, positional

if TYPE_CHECKING:
    from torch import Tensor

    from ..features.encoders import Encoder
    from ..features.sample import FeatureSample
    from ..features.statistics import FeatureStatistics

Reads = Literal["images", "features", "sample"]
FAILED = "its code failed"  # protocol of a metric that was left out of a trial
READS: tuple[Reads, ...] = ("images", "features", "sample")


@dataclass(frozen=True)
class RealSide:
    """The real images that a generator's images are compared with.

    Attributes:
        features: Features of all of them by the study's encoder: (m, d), a sample, or statistics.
        encoder: The encoder; its name is part of a measurement's name.
        aligned: Real image i is the reference of output i.
        images: Opens the images themselves, (n, 3, H, W) in [-1, 1] per batch; None if only features are known.
        ordered: Real image i is of the entry that output i was made of, its reference or not.
    """

    features: Tensor | FeatureSample | FeatureStatistics
    encoder: Encoder
    aligned: bool = False
    images: Callable[[], Iterable[Tensor]] | None = None
    ordered: bool = False

    def same(self, other: RealSide) -> bool:
        """Return True if preparations for another side hold for this one: the features are the same object."""
        return (
            self.features is other.features
            and self.encoder is other.encoder
            and (self.aligned, self.ordered)
            == (
                other.aligned,
                other.ordered,
            )
        )


class Metric(Protocol):
    """A metric, measured in one pass over the data: `prepare` once, then `reset`, `update` and `compute` per pass.

    The arguments of `update` depend on the row's `reads`:

    * `images`: each batch, (n, 3, H, W) in [-1, 1] on the device, and its references or None; with `own_channels` (n,
      C, H, W), as the generator returns them;
    * `features`: the encoder's features of each batch, (n, d) on the CPU, and of its references or None;
    * `sample`: once, the features of all outputs as a `FeatureSample`, and None.

    Features are computed once for all metrics, regardless of their number.
    """

    def prepare(self, real: RealSide) -> None:
        """Prepare for the real images; called once per study and process, not per pass."""
        ...

    def reset(self, full: bool) -> None:
        """Forget the last pass.

        Args:
            full: True if intervals are wanted, as at a trial's end; False at a rung.
        """
        ...

    def update(self, outputs: Any, references: Any) -> None:
        """Add a batch; see the class."""
        ...

    def compute(self) -> list[Measurement]:
        """Return the measurements, or an empty list if the images are too few.

        A measurement's `protocol` describes this metric only; the pass prepends which images were compared, and how
        they were read.
        """
        ...


@dataclass(frozen=True)
class MetricSpec:
    """A row of the table of metrics.

    Attributes:
        make: `module:attribute` relative to the catalog, or a class; called with the weights' paths by name.
        reads: Kind of `update`'s arguments; see `Metric`.
        lower_is_better: True if lower values are better.
        needs_references: True if it compares each output with its own reference; it is left out if there are none.
        cheap: True if it is also measured at rungs.
        weights: Names of the weight files that it needs, such as `vgg`.
        note: Measured quantity, in one line.
        takes: Names of the task's facts that it takes in addition to weights: `border`, the pixels at each side of an
            image that the task's comparisons leave out; `label_map`, the place of a label map among the generator's
            inputs and its number of classes, or None; `class_label`, the same for the label of a class.
        on_request: True if it is measured only if a study asks for it.
        own_channels: For a metric that reads images: True if it takes images with the generator's channels; False if it
            takes RGB.
        fewest: Minimum number of images.
        with_inputs: For a metric that reads images or features: True if `update` also takes the generator's inputs, a
            tuple.

    Raises:
        UserError: `reads` is unknown, or `own_channels` is set for a metric that does not read images.
    """

    make: str | Callable[..., Metric]
    reads: Reads = "images"
    lower_is_better: bool = True
    needs_references: bool = False
    cheap: bool = False
    weights: tuple[str, ...] = ()
    note: str = ""
    takes: tuple[str, ...] = ()
    on_request: bool = False
    own_channels: bool = False
    fewest: int = 1
    with_inputs: bool = False

    def __post_init__(self) -> None:
        if self.own_channels and self.reads != "images":
            raise UserError(
                f"own_channels is set for a metric that does not read images: got reads={self.reads!r}; expected "
                f"'images'"
            )
        if self.reads not in READS:
            raise UserError(f"a metric reads unknown input: got {self.reads!r}; expected one of {', '.join(READS)}")

    def build(
        self, name: str, weights: Mapping[str, Path] | None = None, of_task: Mapping[str, Any] | None = None
    ) -> Metric:
        """Return a new metric that has processed no images.

        Args:
            name: The row's name, for messages.
            weights: Paths of weight files by name; others are ignored.
            of_task: The task's facts, by name; others are ignored.

        Raises:
            UserError: A weight file is missing.
        """
        given = dict(weights or {})
        missing = [key for key in self.weights if key not in given]
        if missing:
            raise UserError(
                f"metric {name!r} lacks weights: got {', '.join(given) or 'none'}; expected {', '.join(missing)}. "
                f"Try --weights {missing[0]}=FILE."
            )
        make = load_named(self.make, "metric", __package__)
        told = {key: value for key, value in (of_task or {}).items() if key in self.takes}
        arguments = {**{key: given[key] for key in self.weights}, **told}
        try:
            return make(**arguments)
        except (UserError, WorkFailed):
            raise
        except Exception as error:
            if not place_of(make):  # a metric of ganprune's own
                raise
            raise UserError(
                str(failed(f"metric {name!r}, called with ({', '.join(arguments)}),", error, make))
            ) from error


@dataclass(frozen=True)
class MeasuredMetric:
    """A metric with its name and row.

    Attributes:
        name: The row's name, or the user's object by path.
        row: The row.
        metric: The metric.
        own: True if it comes from the user or another package: an exception in it is a failure of their code.
    """

    name: str
    row: MetricSpec
    metric: Metric
    own: bool = False

    def prepare(self, real: RealSide) -> None:
        """Prepare the metric for the real images."""
        self._called(self.metric.prepare, real)

    def reset(self, full: bool) -> None:
        """Reset the metric, which forgets the last pass."""
        self._called(self.metric.reset, full)

    def update(self, outputs: Any, references: Any, inputs: Any = None) -> None:
        """Add a batch, with the generator's inputs if the metric takes them."""
        more = (inputs,) if self.row.with_inputs else ()
        self._called(self.metric.update, outputs, references, *more)

    def compute(self) -> list[Measurement]:
        """Return the measurements, each with its direction.

        Raises:
            UserCodeFailed: A user's own metric raised, or its result is not a list of measurements.
        """
        found = self._called(self.metric.compute)
        if not isinstance(found, list | tuple) or not all(isinstance(m, Measurement) for m in found):
            raise UserCodeFailed(
                f"metric {self.name}{self._place} gives {type(found).__name__}: got {found!r:.60}; expected a list of "
                "measurements. Try return [Measurement(name, value, unit)]"
            )
        better = "lower" if self.row.lower_is_better else "higher"
        return [m if m.better else replace(m, better=better) for m in found]

    def absent(self, error: Exception, n: int) -> Measurement:
        """Return what stands in the tables for a metric that failed.

        Args:
            error: Its failure.
            n: Images.
        """
        own = isinstance(self.metric, OwnFunction)
        name = self.metric.name if isinstance(self.metric, OwnFunction) else measurement_name(self.name)
        better = "lower" if self.row.lower_is_better else "higher"
        reason = " ".join(str(error).split())
        return replace(Measurement.absent(f"{name}[n={n}]" if own else name, "1", reason, n, FAILED), better=better)

    @property
    def _place(self) -> str:
        """The place of the user's code, for messages."""
        return place_of(self.metric.compute, type(self.metric))

    def _called(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return the result of a metric's method. Raises UserCodeFailed if the user's code raises."""
        try:
            return function(*arguments)
        except (UserError, WorkFailed):
            raise
        except Exception as error:  # a user's code may raise anything
            if not self.own:
                raise
            raise failed(f"metric {self.name}", error, function, type(self.metric)) from error


def spec_of(reference: str, found: Any) -> MetricSpec:
    """Return the row of a user's own class or function, read from its attributes.

    Args:
        reference: Its path, for messages.
        found: The object that was loaded.

    Raises:
        UserError: It lacks a method of `Metric`, or states no direction.
    """
    if is_function(found):
        return _of_function(reference, found)
    needed = ("prepare", "reset", "update", "compute")
    missing = [name for name in needed if not callable(getattr(found, name, None))]
    if missing or not callable(found):
        raise UserError(
            f"metric {reference!r}{place_of(found)} is not a metric: got {_kind(found)} without "
            f"{', '.join(missing) or 'a call'}; "
            f"expected a class with the methods {', '.join(needed)}"
        )
    fields = (
        "reads",
        "lower_is_better",
        "needs_references",
        "cheap",
        "weights",
        "takes",
        "own_channels",
        "with_inputs",
    )
    said = {name: getattr(found, name) for name in fields if hasattr(found, name)}
    said["lower_is_better"] = lower_is_better(reference, found)
    said |= {name: tuple(said.get(name, ())) for name in ("weights", "takes")}
    return MetricSpec(cast(Any, found), **said, note=(found.__doc__ or "").strip().partition("\n")[0])


def _kind(found: Any) -> str:
    return "a class" if isinstance(found, type) else f"an object of type {type(found).__name__}"


def _of_function(reference: str, found: Callable[..., Any]) -> MetricSpec:
    """Return the row of a user's own function. Raises UserError if it states no direction, or takes other arguments."""
    lower, reads, taken = lower_is_better(reference, found), getattr(found, "reads", "images"), positional(found)
    if reads not in ("images", "sample") or taken not in (1, 2):
        raise UserError(
            f"metric {reference!r}{place_of(found)} takes other arguments: got {taken} of a function that reads "
            f"{reads!r}; expected (images), (images, references), or with reads = 'sample' (features) or (features, "
            "real_features)"
        )

    def make() -> Metric:
        return OwnFunction(reference, found, reads, taken == 2)

    references = taken == 2 and reads == "images"
    own = bool(getattr(found, "own_channels", False))
    return MetricSpec(make, reads, lower, references, own_channels=own, note=first_line(found))
