"""Items that a user's own task receives unchanged: dictionaries of tensors, all of one form."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from ...files.errors import UserError
from ..dataset import ImageSet
from ..spec import DataSpec
from .items import OwnItems, shown

SOURCE = "items"


class PlainItems:
    """Items as `Pictures` whose entries are read only by `tensors`.

    Args:
        items: One split.
    """

    def __init__(self, items: OwnItems) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return the tensors of an item in the order of their names."""
        return self.drawn(index, None)

    def drawn(self, index: int, number: int | None) -> tuple[Tensor, ...]:
        """Return the tensors of an item, which must have the form of the first item's.

        Raises:
            UserError: An item has other tensors, an empty one, or none; or the user's code raises.
        """
        found = self.items.plain(index, number)
        place = f"{self.items.what}, item {index}"
        if not found:
            raise UserError(
                f"{place} has no tensors: got {shown(self.items.item(index, number))}; expected some by name"
            )
        for name, value in found.items():
            if not value.numel():
                raise UserError(f"{place}: {name} is empty: got {shown(value)}; expected some numbers")
        forms = {name: shown(value) for name, value in found.items()}
        if forms != self.forms:
            name = next(each for each in {**forms, **self.forms} if forms.get(each) != self.forms.get(each))
            raise UserError(
                f"{place} has another form than item 0: got {name} as {forms.get(name, 'nothing')}; expected "
                f"{self.forms.get(name, 'nothing')}"
            )
        return tuple(found[name] for name in self.forms)

    @cached_property
    def forms(self) -> dict[str, str]:
        """Names of an item's tensors, with their types and shapes."""
        return {name: shown(value) for name, value in self.items.plain(0).items()}


def plain_set(spec: DataSpec, items: OwnItems, source: str) -> ImageSet:
    """Return items unchanged: neither cropped nor mirrored, with the values of the user's code.

    Args:
        spec: The data.
        items: One split.
        source: Name by which the task counts entries.
    """

    def item(images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        return dict(zip(pictures.forms, images.parts(source, index, number), strict=True))

    pictures = PlainItems(items.same_length())
    return ImageSet(spec, {source: pictures}, item)
