"""A profiled cost: millijoules of one image, by a table that says what each layer takes per value that it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.costs.cost import Cost
from ganprune.search.preparations.cost_profile import CostProfile
from ganprune.search.preparations.preparation import PreparationRow
from ganprune.search.setup.opened_profile import Meter, OpenedProfile

NAME = "energy_mj"
WARM = 1.05  # a device that ran a search is warm, and takes so much more


@dataclass(frozen=True)
class EnergyMeter(Meter):
    """The device, on which finalists are measured: it adds up what the layers of a network write."""

    table: Mapping[str, float]

    def measure(self, network: Any, inputs: Any, int8: bool) -> Measurement:
        """Return the millijoules of a network."""
        import torch

        drawn: list[float] = []

        def listen(joules: float) -> Any:
            return lambda _, __, output: drawn.append(joules * output.numel())

        hooks = []
        for name, module in network.named_modules():
            own = (
                name if name in self.table else name.partition(".")[2]
            )  # of several generators each has its name first
            if own in self.table:
                hooks.append(module.register_forward_hook(listen(self.table[own])))
        with torch.no_grad():
            network(*inputs)
        for hook in hooks:
            hook.remove()
        return Measurement(f"{NAME}[measured]", WARM * sum(drawn), "mJ", protocol="on a device that does not exist")


@dataclass(frozen=True)
class EnergyTable(OpenedProfile):
    """Module -> millijoules per value that it writes."""

    table: Mapping[str, float]

    @property
    def content(self) -> Mapping[str, Any]:
        """Plain JSON."""
        return {"mj_per_value": dict(self.table)}

    def of(self, groups: Any) -> Any:
        """Return what prices plans: each layer's values are linear in the channels of its output."""
        import numpy as np
        from ganprune.gan_models.costs.cost_form import CostForm, Row

        always = np.zeros(1, dtype=np.int64)
        rows = [
            Row(
                layer.outputs,
                always,
                {NAME: self.table[layer.module] * float(np.prod(layer.output_shape)) / len(layer.outputs)},
            )
            for layer in groups.layers
            if layer.outputs is not None
        ]
        return CostForm.from_rows(groups.sizes, rows, costs=(NAME,))

    def predicted(self, value: float, bits: int = 32) -> Measurement:
        """Return a prediction as a measurement."""
        return Measurement(f"{NAME}[predicted]", value, "mJ", protocol="predicted by a table of layers")

    def notes(self, config: Any) -> list[str]:
        """Return what to say of the prediction."""
        return [f"energy is predicted by a table of {len(self.table)} layers"]

    def meter(self, device: str, command: str = "") -> EnergyMeter:
        """Return the device."""
        return EnergyMeter(self.table)


class EnergyProfile(CostProfile):
    """The preparation that makes the table and keeps it with the study."""

    cost, preparation, stem = NAME, "energy_table", "energy"

    def find(self, study: Any) -> EnergyTable:
        """Return the table of a new study: later layers take more."""
        groups = next(iter(study.own_groups.values()), study.groups)
        modules = dict.fromkeys(layer.module for layer in groups.layers if layer.outputs is not None)
        return EnergyTable({module: 1e-3 * (1 + i) for i, module in enumerate(modules)})

    def opened(self, study: Any, content: Mapping[str, Any]) -> EnergyTable:
        """Return the table that a study kept."""
        return EnergyTable(content["mj_per_value"])


ENERGY_PROFILE = EnergyProfile()
ENERGY_TABLE = PreparationRow("ganprune_example_plugins.energy:ENERGY_PROFILE")
ENERGY = Cost(
    NAME,
    "mJ",
    label="mJ per image",
    noun="energy",
    suffixes={"mj": 1.0},
    prefixed=False,
    symbol="mJ",
    examples=("5mJ",),
    profile=ENERGY_PROFILE,
    measured_after_search=True,
)
