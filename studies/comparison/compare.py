"""The command `ganprune compare` in Python: the generator closer to the real images, if the data can tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...evaluators.features.image_folders import readable_files
from ...evaluators.features.sample import FeatureSample
from ...evaluators.measurement import Measurement, frechet_name
from ...evaluators.quality.frechet import frechet_between
from ...evaluators.quality.jackknife import Comparison, compare_frechet
from ...gan_models.files.errors import UserError
from .fid import (
    GENERATORS,
    check_metrics,
    folder_measured,
    generator_measured,
    inputs_for,
    network_of,
    output_features,
    protocol_text,
    real_side,
)
from .image_sources import (
    Generate,
    Inputs,
    StudyTrials,
    check_eats,
    device_of,
    files_features,
    kind_of,
    study_trials,
)
from .measure_options import CompareOptions
from .picture_pairs import PicturePair, folder_pairs, generated_pairs, spread
from .recognized_weights import RecognizedWeights


@dataclass(frozen=True)
class Compared:
    """A comparison of two generators by their distances from the real images.

    Attributes:
        a, b: The compared sources, as given.
        distance_a, distance_b: Their distances, without intervals: the difference has one.
        comparison: The difference with its interval, p-value and verdict.
        n, n_real: Number of images of each, and of real ones.
        matched: True if both were made from the same inputs, which the interval then uses.
        metric: Name of the distance.
        protocol: Protocol of the measurement.
        measurements_a, measurements_b: All metrics of each, if others were requested.
        pairs: Pictures of both, if requested.
    """

    a: str
    b: str
    distance_a: float
    distance_b: float
    comparison: Comparison
    n: int
    n_real: int | None
    matched: bool
    metric: str
    protocol: str
    measurements_a: tuple[Measurement, ...] = ()
    measurements_b: tuple[Measurement, ...] = ()
    pairs: tuple[PicturePair, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        difference = self.comparison.difference
        return {
            "a": self.a,
            "b": self.b,
            "metric": self.metric,
            "distance_a": self.distance_a,
            "distance_b": self.distance_b,
            "difference": {"value": difference.value, "low": difference.low, "high": difference.high},
            "p": self.comparison.p,
            "verdict": self.comparison.verdict,
            "n": self.n,
            "n_real": self.n_real,
            "matched": self.matched,
            "protocol": self.protocol,
            "measurements_a": [m.to_json() for m in self.measurements_a],
            "measurements_b": [m.to_json() for m in self.measurements_b],
        }


def compare_two(a: str, b: str, options: CompareOptions, pictures: int = 0) -> Compared:
    """Find which of A and B is closer to the real images, or report that the data cannot tell.

    Args:
        a: A folder of images, a bundle, weights with a recognized network (`spandrel:FILE`), or a trial (`STUDY:3`,
            `STUDY:teacher`).
        b: A source of the same kinds; a trial of the same study.
        options: Options of the measurement; `real` is empty for the images of the study, or of `options.data`.
        pictures: Number of inputs whose pictures are stored.

    Raises:
        ValueError: A source cannot be compared; the message lists those that can. Pictures are requested, but images
            were not made from the same inputs.
    """
    real = options.real
    device, kinds = device_of(options.device), {source: kind_of(source) for source in (a, b)}
    for source, kind in kinds.items():
        if kind == "statistics":
            raise UserError(f"{source} contains only statistics, which give no interval: expected the images")
    matched = _matched(a, b, kinds)
    if pictures and not matched:
        raise UserError(
            "--plot compares pictures of the same inputs: got images without common names; expected two generators, or "
            "two folders with files of the same names"
        )
    references = [source for source, kind in kinds.items() if kind == "trial"]
    networks = sorted(
        (source for source, kind in kinds.items() if kind in GENERATORS), key=lambda source: kinds[source]
    )
    trials: StudyTrials | None = None
    inputs: Inputs | None = None
    if references:
        trials = study_trials(references, options.storage, options.artifacts, options.network, options.device)
        encoder, inputs = options.own_encoder(trials.bench), trials.inputs
    else:
        encoder = options.encoder()
        if networks:  # bundles first, because they contain the task
            inputs = inputs_for(networks[0], "", encoder, device, options)
    if inputs is not None:
        for source in networks:
            if kinds[source] == "weights":
                RecognizedWeights(source).check_eats(inputs.batches)
            else:
                check_eats(source, inputs.batches)
    if not real and inputs is None:
        raise UserError("there are no real images: expected some. Try --real FOLDER, or --real STATISTICS.npz")
    check_metrics(options, inputs)
    side = real_side(real, encoder, device, options, inputs)

    def generator(source: str) -> Generate:
        known = trials.generators if trials is not None else {}
        return known[source] if source in known else network_of(source, device, options)

    def features(source: str) -> FeatureSample:
        if kinds[source] == "images":
            return files_features(source, encoder, device, options.workers)
        assert inputs is not None
        return output_features(generator(source), inputs, encoder, device)

    def measurements(source: str) -> tuple[Measurement, ...]:
        if not options.also_measure:
            return ()
        if kinds[source] == "images":
            shared = inputs.real_images if inputs is not None and side is inputs.real else None
            return tuple(folder_measured(source, real, encoder, device, options, side, shared))
        assert inputs is not None
        return tuple(generator_measured(generator(source), real, encoder, device, inputs, side, options))

    def pairs(places: list[int]) -> list[PicturePair]:
        if not places:
            return []
        if kinds[a] == "images":
            return folder_pairs(a, b, places)
        assert inputs is not None
        return generated_pairs(generator(a), generator(b), inputs, device, places)

    one, two = features(a), features(b)
    own = inputs is not None and side is inputs.real
    aligned = own and inputs is not None and inputs.aligned and matched
    compared = compare_frechet(one, two, side, aligned, options.level, matched=matched)
    protocol = protocol_text(inputs.protocol if own and inputs is not None else "outputs-vs-given", encoder, side)
    distances = [
        frechet_between(x.side(), side.side() if isinstance(side, FeatureSample) else side) for x in (one, two)
    ]
    return Compared(
        a=a,
        b=b,
        distance_a=distances[0],
        distance_b=distances[1],
        comparison=compared,
        n=one.n,
        n_real=side.n,
        matched=matched,
        metric=frechet_name(encoder.name, one.n),
        protocol=protocol,
        measurements_a=measurements(a),
        measurements_b=measurements(b),
        pairs=tuple(pairs(spread(one.n, pictures))),
    )


def _matched(a: str, b: str, kinds: dict[str, str]) -> bool:
    """Return True if image i of both was made from one input: by one run over the inputs, or by the files' names."""
    folders = [source for source in (a, b) if kinds[source] == "images"]
    if not folders:
        return True
    if len(folders) == 1:
        return False
    names = [[path.stem for path in readable_files(Path(source).expanduser())] for source in folders]
    return names[0] == names[1]
