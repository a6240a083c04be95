"""Mean intersection over union of segmentations by the user's segmenter.

The labels of segmented outputs are compared with the task's label map, an input of the generator, or with the same
segmenter's labels of the references. Per class, intersection and union are counted over all images; the mean is over
the classes that occur (Everingham et al. 2010). Labels outside of 0 .. classes - 1, such as 255, and those that the
segmenter names as `ignored` are left out if the reference has them.

Shapes: n images per batch, N in total, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....gan_models.files.errors import UserError, WorkFailed
from ....gan_models.files.hashes import file_sha256
from ....gan_models.files.user_code import UserCodeFailed, failed, file_of, is_path, load_object, place_of
from ...cost.catalog import RUNTIMES
from ...measurement import Measurement
from ..jackknife import group_jackknife
from ..metric import RealSide

GROUPS = 20  # groups of the jackknife
MIN_IMAGES = 4  # minimum number of images for an interval
_RUNTIMES = {".pt2": "exported-program", ".onnx": "onnxruntime"}


@dataclass(frozen=True)
class Segmenter:
    """A segmenter: images (n, 3, H, W) in [-1, 1] to scores of classes (n, K, h, w), or labels (n, h, w).

    Attributes:
        reference: The file, or the object by path, for messages.
        call: The callable that takes images.
        classes: K, if it is stated.
        ignored: Labels that are left out.
        version: The first digits of the file's sha256; empty for an object of a package.
    """

    reference: str
    call: Callable[[Tensor], Any]
    classes: int = 0
    ignored: tuple[int, ...] = ()
    version: str = ""

    @property
    def name(self) -> str:
        """The segmenter's name inside a measurement's name."""
        own = self.reference.rpartition(":")[2] if is_path(self.reference) else Path(self.reference).stem
        return "".join(letter if letter not in "[],=" else "_" for letter in own)

    def segmented(self, images: Tensor, size: Sequence[int]) -> tuple[Tensor, int]:
        """Return labels (n, H, W) at a size, and the number of classes if there are scores, else 0.

        Raises:
            UserCodeFailed: The segmenter raises, or returns another type or shape.
        """
        if isinstance(self.call, nn.Module):
            self.call.to(images.device)
        try:
            with torch.no_grad():
                found = self.call(images)
        except (UserError, WorkFailed):
            raise
        except Exception as error:  # a user's code may raise anything
            raise failed(f"segmenter {self.reference}", error, self.call) from error
        if isinstance(found, Tensor) and len(found) == len(images):
            if found.ndim == 4 and found.shape[1] > 1 and bool(torch.isfinite(found).all()):
                resized = (
                    found
                    if found.shape[2:] == tuple(size)
                    else F.interpolate(found.float(), tuple(size), mode="bilinear")
                )
                return resized.argmax(1), found.shape[1]
            if found.ndim == 3 and not found.is_floating_point():
                labels = F.interpolate(found[:, None].float(), tuple(size), mode="nearest")[:, 0].long()
                return labels, 0
        shape = "x".join(map(str, found.shape)) if isinstance(found, Tensor) else type(found).__name__
        raise UserCodeFailed(
            f"segmenter {self.reference}{place_of(self.call)} gives {shape} for {len(images)} images; expected finite "
            "scores (n, classes, h, w), or whole labels (n, h, w)"
        )


def open_segmenter(reference: str | Path) -> Segmenter:
    """Return a user's segmenter.

    Args:
        reference: `file.py:name` or `package.module:name` of a function, a module, or a class of one; or a file of
            torch.export (`.pt2`) or ONNX (`.onnx`).

    Raises:
        UserError: It cannot be found, opened or called.
    """
    text = str(reference)
    if is_path(text):
        found, file = load_object(text, "segmenter"), file_of(text)
        try:
            call = found() if isinstance(found, type) else found
        except Exception as error:  # a user's code may raise anything
            raise UserError(str(failed(f"segmenter {text!r}, called without arguments,", error, found))) from error
        if not callable(call):
            raise UserError(
                f"segmenter {text!r} cannot be called: got {type(call).__name__}; expected a function of images, a "
                "module, or a class of one"
            )
        call = call.eval() if isinstance(call, nn.Module) else call
        ignored, classes = getattr(call, "ignored", ()), getattr(call, "classes", 0)
        ignored = (ignored,) if isinstance(ignored, int) else tuple(ignored)
        version = file_sha256(file)[:8] if file is not None and file.is_file() else ""
        return Segmenter(text, call, classes, ignored, version)
    path = Path(text).expanduser()
    if not path.is_file():
        raise UserError(f"segmenter {text!r} is not there: got no such file; expected a file, or file.py:name")
    if path.suffix not in _RUNTIMES:
        raise UserError(
            f"segmenter {text!r} is of no known kind: got {path.suffix or 'no ending'}; expected "
            f"{' or '.join(_RUNTIMES)}, or your own as file.py:name. Try torch.export.save"
        )
    session = RUNTIMES.find(_RUNTIMES[path.suffix]).open(path)
    return Segmenter(text, lambda images: _run(session, images), version=file_sha256(path)[:8])


def _run(session: Callable[..., Any], images: Tensor) -> Tensor:
    """Return a runtime's output, computed image by image if it takes one batch size only."""
    batch = getattr(session, "batch", None) or len(images)
    parts = [torch.from_numpy(session(part.cpu().numpy())[0].copy()) for part in images.float().split(batch)]
    return torch.cat(parts).to(images.device)


class MeanIoU:
    """The mean intersection over union over classes, with its interval.

    Args:
        segmenter: The user's; see `open_segmenter`.
        label_map: Place of the label map among the generator's inputs, and its classes; None if it takes none.
    """

    def __init__(self, segmenter: str | Path, label_map: tuple[int, int] | None = None) -> None:
        self._segmenter, self._label_map = open_segmenter(segmenter), label_map
        self._classes = self._segmenter.classes or (label_map[1] if label_map else 0)
        self._counts: list[Tensor] = []
        self._full = True

    def prepare(self, real: RealSide) -> None:
        """Do nothing: labels come with each batch."""

    def reset(self, full: bool) -> None:
        """Forget the last pass."""
        self._counts, self._full = [], full

    def update(self, outputs: Tensor, references: Tensor, inputs: Sequence[Tensor] = ()) -> None:
        """Add a batch of outputs, their references, and the generator's inputs."""
        if self._label_map is not None:
            truth = inputs[self._label_map[0]].long()
        else:
            truth, scored = self._segmenter.segmented(references, references.shape[2:])
            self._classes = self._classes or scored
        labels, scored = self._segmenter.segmented(outputs, truth.shape[1:])
        self._classes = self._classes or scored
        if not self._classes:
            raise UserError(
                f"segmenter {self._segmenter.reference!r} does not say how many classes there are: got labels and no "
                f"scores; expected a number. Try {self._segmenter.name}.classes = 19"
            )
        if not bool(((labels >= 0) & (labels < self._classes)).all()):
            raise UserError(
                f"segmenter {self._segmenter.reference!r} gives labels out of range: got {int(labels.min())} to "
                f"{int(labels.max())}; expected 0 to {self._classes - 1}, the {self._classes} classes of the labels"
            )
        self._counts.append(counts_of(labels, truth, self._classes, self._segmenter.ignored).cpu())

    def compute(self) -> list[Measurement]:
        """Return the mean and its jackknife interval over images; absent, with the reason, if no label counts."""
        if not self._counts:
            return []
        counts = torch.cat(self._counts).double()
        n, segmenter = len(counts), self._segmenter
        name = f"miou[{segmenter.name},n={n},classes={self._classes}]"
        if not bool(counts.any()):
            return [Measurement.absent(name, "1", "every label is ignored or out of range", n)]
        low = high = None
        labels = "the task's label maps" if self._label_map is not None else "the segmenter's of the references"
        how = f"labels: {labels}; {int((counts[:, 1].sum(0) > 0).sum())} classes occur"
        how += f"; ignored: {', '.join(map(str, segmenter.ignored))}" if segmenter.ignored else ""
        how += f"; segmenter sha256 {segmenter.version}" if segmenter.version else ""
        if self._full and n >= MIN_IMAGES:
            found = group_jackknife(_mean_of, [counts.flatten(1)], n_groups=min(GROUPS, n))
            low, high = max(found.low, 0.0), min(found.high, 1.0)
            how += f"; interval: delete-a-group jackknife, {min(GROUPS, n)} groups"
        return [Measurement(name, _mean_of(counts.flatten(1)), "1", low, high, n, how)]


def counts_of(labels: Tensor, truth: Tensor, classes: int, ignored: Sequence[int] = ()) -> Tensor:
    """Return pixels of each class in the intersection and in the union, per image, (n, 2, K).

    Args:
        labels: Labels of outputs (n, H, W), in 0 .. K - 1.
        truth: Labels of references (n, H, W); those outside of 0 .. K - 1 are left out.
        classes: K.
        ignored: Labels of `truth` that are also left out; they do not count as classes.
    """
    counted = (truth >= 0) & (truth < classes)
    for label in ignored:
        counted &= truth != label
    n = len(truth)
    offset = torch.arange(n, device=truth.device).view(-1, 1, 1) * classes

    def pixels(of: Tensor, where: Tensor) -> Tensor:
        return torch.bincount((of + offset)[where], minlength=n * classes).view(n, classes)

    both = pixels(truth, counted & (labels == truth))
    counts = torch.stack((both, pixels(truth, counted) + pixels(labels, counted) - both), 1)
    counts[:, :, [label for label in ignored if 0 <= label < classes]] = 0
    return counts


def mean_iou(counts: Tensor) -> float:
    """Return the mean intersection over union of the classes that occur, from counts (N, 2, K) of all images."""
    both, either = counts.double().sum(0)
    return float((both[either > 0] / either[either > 0]).mean()) if bool((either > 0).any()) else 0.0


def _mean_of(rows: Tensor) -> float:
    """Return `mean_iou` of counts (N, 2 K), one row per image."""
    return mean_iou(rows.view(len(rows), 2, -1))
