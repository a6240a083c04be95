"""The price of one generator's plans in every cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from numpy.typing import ArrayLike

from ..files.errors import UserError
from ..files.user_code import load_named
from .catalog import COSTS, FORM_COSTS, cost_of
from .cost_form import CostForm, CostModel, Floats


class Priceable(Protocol):
    """Channel groups (`groups.channel_groups.ChannelGroups`)."""

    @property
    def form(self) -> CostForm:
        """The cost form over the groups."""
        ...


@dataclass(frozen=True)
class Prices:
    """A `CostModel` of every cost of a study.

    Attributes:
        form: Prices the costs that are bilinear in the widths.
        models: Cost name -> model of any other cost.
    """

    form: CostForm
    models: Mapping[str, CostModel] = field(default_factory=dict)

    @classmethod
    def of(
        cls, groups: Priceable, costs: Iterable[str] = (), profiled: Mapping[str, CostModel] | None = None
    ) -> Prices:
        """Return the prices of a generator's plans.

        Args:
            groups: The generator's channel groups.
            costs: Names of the budgets' costs, in addition to those of the form.
            profiled: Cost name -> model from a device's profile.

        Raises:
            UserError: A profiled cost has no profile.
        """
        models = dict(profiled or {})
        for name in dict.fromkeys(costs):
            if name in models or name in FORM_COSTS:
                continue
            row = COSTS.find(name)
            if row.price is None:
                raise UserError(
                    f"a budget in {row.unit} needs a profile of the device: got none for {name}; expected one"
                )
            models[name] = load_named(row.price, "cost")(groups)
        return cls(groups.form, models)

    @property
    def costs(self) -> tuple[str, ...]:
        """Names of all costs that are priced."""
        return (*FORM_COSTS, *(name for name in self.models if name not in FORM_COSTS))

    def model(self, cost: str) -> CostModel | None:
        """Return the model of a cost (by its name or its name in 8 bits); None if the form prices it."""
        return self.models.get(cost_of(cost).name)

    def predict(self, widths: ArrayLike, cost: str = "macs") -> Floats:
        """Return the cost [P] of plans with these widths [P, G]."""
        return (self.model(cost) or self.form).predict(widths, cost)

    def dense(self) -> dict[str, float]:
        """Return cost name -> cost of the unpruned network in float32."""
        return {cost: float(self.predict(self.form.sizes, cost)) for cost in self.costs}

    def cheapest(
        self, floor: int = 1, multiple: int = 1, bits: Sequence[int] = (32,), per_channel: bool = False
    ) -> dict[str, float]:
        """Return cost name -> cost of the smallest plan, in the cheapest of these bits.

        Args:
            floor: Minimum number of channels per group.
            multiple: Widths are multiples of this, or the full width.
            bits: Bits that networks may be stored in.
            per_channel: True if 8-bit weights have one scale per channel.
        """
        smallest = self.form.floors(floor, multiple)

        def price(cost: str) -> float:
            return min(float(self.predict(smallest, cost_of(cost).stored(each, per_channel))) for each in bits)

        return {cost: price(cost) for cost in self.costs}
