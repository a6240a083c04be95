"""Parts that tasks share: defaults of what their protocol does not ask every class to write, a fitting PatchGAN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from torch import Tensor

from ..data.dataset import ImageSet
from ..data.own_data.items import OwnItems
from ..data.own_data.plain_items import SOURCE, plain_set
from ..data.spec import DataSpec
from ..networks.specs import OutputSpec
from .generator_fit import patch_layers

# Images [N, 3, H, W] in [-1, 1] to maps [N, c, h, w], from fine to coarse.
Maps = Callable[[Tensor], tuple[Tensor, ...]]
# A generator's name and its inputs to the teacher's outputs [N, C, H, W].
TeacherOutputs = Callable[[str, tuple[Tensor, ...]], Tensor]


class TaskDefaults:
    """The parts of `Task` with a default. A class that is loaded as a task has them, inherited or not."""

    border = 0
    needs_teacher = False
    has_judge = True
    reads_teacher = False
    reads_feature_maps = False
    resizes = True
    teacher: TeacherOutputs | None = None
    feature_maps: Maps | None = None
    item_names: tuple[str, ...] = ()  # of the tensors of a user's own items that are tuples; dictionaries say them

    @classmethod
    def picture_sizes(cls, spec: DataSpec, most: int) -> list[tuple[int, int]]:
        """Return nothing: the sizes of pictures are not known."""
        return []

    @classmethod
    def of_items(cls, spec: DataSpec, items: OwnItems) -> ImageSet:
        """Return one split of a user's own data, its items as they are."""
        named = items.called(*((str(name),) for name in cls.item_names))
        return plain_set(spec, named, str(getattr(cls, "source", SOURCE)))


@cache
def with_defaults(kind: type) -> Any:
    """Return a task's class with the defaults of what it does not say; the class itself if it inherits them.

    Args:
        kind: Of ours, another package's or a user's own. It is not changed.
    """
    if issubclass(kind, TaskDefaults):
        return kind
    named = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(kind.__name__, (kind, TaskDefaults), named)


class ImageTranslation(TaskDefaults):
    """A task whose generators translate images, and whose discriminators are PatchGANs unless it is said."""

    name: str

    @classmethod
    def complete(cls, settings: Mapping[str, Any], output: OutputSpec) -> dict[str, Any]:
        """Return the settings with a PatchGAN that fits the size of what it judges."""
        judge = dict(settings.get("discriminator", {}))
        layers = judge.get("n_layers", patch_layers(min(output.size)))
        return {**settings, "discriminator": {**judge, "n_layers": layers}}
