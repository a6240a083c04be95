"""The teacher's outputs compared with the stated value range: a note if another range fits them clearly better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...evaluators.features.encoders import Encoder, feature_batches
from ...gan_models.networks.specs import RANGES, range_text
from ...gan_models.networks.value_ranges import USUAL_RANGE, Bounds, ValueRanges, own_values, translate
from ..config import StudyConfig

IMAGES = 8  # a few are enough: a wrong range is off by a factor
MAX_BETTER_RATIO = 0.5  # times the difference under the stated range
MIN_GAIN = 0.02  # of [-1, 1]; below, both ranges are near perfect
MARGIN = 0.05  # of a range, by which outputs may leave it
MAX_OUTSIDE_SHARE = 0.05  # share of values that may leave it by more
# Ranges of published generators, likeliest first.
KNOWN_RANGES = tuple(map(ValueRanges.read, ("-1,1", "0,1", "0,255", "0,1:-1,1", "-1,1:0,1")))


@dataclass(frozen=True)
class Example:
    """A few images to try a generator on.

    Attributes:
        inputs: What it takes, in the usual ranges.
        reference: What its outputs should be, in [-1, 1]; None if that is not known.
        reals: Images that look as its outputs should, in [-1, 1].
    """

    inputs: tuple[Tensor, ...]
    reference: Tensor | None
    reals: Tensor

    def first(self, count: int, device: torch.device) -> Example:
        """Return the first images, on a device."""
        reference = None if self.reference is None else self.reference[:count].to(device)
        return Example(tuple(x[:count].to(device) for x in self.inputs), reference, self.reals[:count].to(device))


@dataclass(frozen=True)
class _Tried:
    """A generator's outputs for inputs and outputs in several ranges.

    Attributes:
        ranges: The ranges.
        images: Its outputs in its own range.
        difference: From what they should be.
    """

    ranges: ValueRanges
    images: Tensor
    difference: float

    @property
    def fits(self) -> bool:
        """True if the outputs are in the range, except for a few values."""
        return _outside(self.images, self.ranges.given) <= MAX_OUTSIDE_SHARE


def value_range_note(
    config: StudyConfig,
    generate: Callable[..., Tensor],
    example: Example,
    encoder: Encoder,
    device: torch.device,
    rgb: Callable[[Tensor], Tensor] = lambda images: images,
) -> str:
    """Return a note if the range of values that was stated contradicts what a generator gives; else an empty text.

    Args:
        config: Resolved.
        generate: The teacher as the study calls it: usual ranges in and out.
        example: Images to try it on.
        encoder: Of the quality, if there are no references to compare with.
        device: Where all of it runs.
        rgb: Outputs and real images to what the encoder takes, images [N, 3, H, W].
    """
    example = example.first(IMAGES, device)

    def tried(ranges: ValueRanges) -> _Tried:
        own = replace(config, value_range=ranges.text).own_inputs
        # The generator translates from the usual ranges to the stated ones: undone, it sees those to be tried.
        fed = tuple(
            x if one.value_range is None else translate(x, one.value_range, RANGES[one.kind])
            for x, one in zip(own_values(example.inputs, own), config.own_inputs.inputs, strict=True)
        )
        with torch.no_grad():
            images = translate(generate(*fed).float(), USUAL_RANGE, config.value_ranges.given)
        shown = translate(images, ranges.given, USUAL_RANGE).clamp(-1, 1)
        return _Tried(ranges, images, _difference(shown, example, encoder, device, rgb))

    stated = tried(config.value_ranges)
    if not bool(torch.isfinite(stated.images).all()):
        return ""  # measuring it says so
    says = f"the value range {_shown(stated.ranges)}"
    if config.teacher:
        pictured = bool(config.inputs.of_kind("image", "audio"))
        others = [r for r in KNOWN_RANGES if r != stated.ranges and (pictured or r.taken == r.given)]
        fitting = [found for found in map(tried, others) if found.fits]
        least = min((found.difference for found in fitting), default=0.0)
        # Of ranges that are about as good the likeliest one: eight images do not tell them apart.
        best = next((found for found in fitting if found.difference <= least / MAX_BETTER_RATIO), stated)
        gain = MIN_GAIN if example.reference is not None else 0.0
        if best.difference < MAX_BETTER_RATIO * stated.difference and stated.difference - best.difference > gain:
            what = "differ from their targets" if example.reference is not None else "are from real ones in features"
            return (
                f"the teacher contradicts {says}: its images {what} by {stated.difference:.3g}, and by "
                f"{best.difference:.3g} with --value-range {_shown(best.ranges)}; is that the range of its code?"
            )
    low, high = float(stated.images.min()), float(stated.images.max())
    seen = f"the teacher gives values from {low:.3g} to {high:.3g}"
    if not stated.fits:
        wider = next((r for r in KNOWN_RANGES[:3] if _outside(stated.images, r.given) <= MAX_OUTSIDE_SHARE), None)
        cure = f"--value-range {_shown(wider)}" if wider else "--value-range LEAST,LARGEST"
        return f"{seen}, outside {says}: is {cure} the range of its code?"
    narrower = next(
        (r for r in KNOWN_RANGES[:2] if _within(stated.images, r.given, stated.ranges.given, example.reals)), None
    )
    if narrower is not None:
        return f"{seen}, and {says} is wider: is --value-range {_shown(narrower)} the range of its code?"
    return ""


def _difference(
    shown: Tensor, example: Example, encoder: Encoder, device: torch.device, rgb: Callable[[Tensor], Tensor]
) -> float:
    """Return the mean absolute difference from the references; without any, the distance of mean features."""
    if example.reference is not None and example.reference.shape == shown.shape:
        return float((shown - example.reference).abs().mean())
    ours, theirs = (
        next(feature_batches([rgb(images)], encoder, device)).mean(dim=0) for images in (shown, example.reals)
    )
    return float((ours - theirs).norm())


def _outside(images: Tensor, bounds: Bounds) -> float:
    """Return the share of values that leave a range by more than the margin."""
    margin = MARGIN * (bounds[1] - bounds[0])
    return float(((images < bounds[0] - margin) | (images > bounds[1] + margin)).float().mean())


def _within(images: Tensor, bounds: Bounds, stated: Bounds, reals: Tensor) -> bool:
    """Return whether outputs use a narrower range than the stated one, and real images do not."""
    inside = stated[0] <= bounds[0] and bounds[1] <= stated[1] and bounds != stated
    edge = (bounds[1] - bounds[0]) / 255
    theirs = translate(reals, USUAL_RANGE, stated)

    def used(x: Tensor) -> bool:
        return bool(x.min() >= bounds[0] - edge and x.max() <= bounds[1] + edge)

    spread = float(images.max() - images.min())
    return inside and used(images) and spread > (bounds[1] - bounds[0]) / 2 and not used(theirs)


def _shown(ranges: ValueRanges) -> str:
    return ranges.text or range_text(USUAL_RANGE)
