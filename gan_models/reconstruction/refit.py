"""The pass of the cut network, in which its weights are refitted.

No layer needs another pass. All calibration inputs pass through the cut network as one batch, and a layer is fitted
before its output is computed. Its inputs are those of the network as refitted so far, so later layers correct errors of
earlier ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .layers.layer import Layer, NotRefitted, Taps, is_weighted, layer_of, layer_parts, merged
from .layers.least_squares import Fit, fit, with_weights
from .layers.modulation import ModulatedRows, Modulation, fit_modulated, scale_of
from .record import RefittedLayer
from .refit_plan import RefitPlan, Site, pass_macs
from .targets import Split, Targets, check_same, norm_of, output_shape, rows_of, run, statistics
from .weight_store import store, weight_of


class Refit:
    """The pass of the cut network.

    Args:
        model: The cut network; its weights are changed.
        plan: The weights that are refitted.
        targets: The teacher's activations.
        split: Split of the inputs.
        ridges: Candidates of the ridge.

    Attributes:
        layers: Result for each weight, by name.
        macs: Multiply-accumulates of the pass.
    """

    def __init__(
        self, model: nn.Module, plan: RefitPlan, targets: Targets, split: Split, ridges: Sequence[float]
    ) -> None:
        self._model, self._plan, self._targets, self._split = model, plan, targets, split
        self._ridges = ridges
        self.layers: dict[str, RefittedLayer] = {}
        self.macs = 0
        self._sites = {site.calls[0]: site for site in plan.sites if len(site.calls) == 1}
        self._needed: dict[int, int] = {}  # call -> the last layer that needs its output
        for number, site in self._sites.items():
            for term in site.path.terms if site.path else ():
                self._needed[term.source] = max(number, self._needed.get(term.source, -1))
        self._kept: dict[int, Tensor] = {}
        self._styled = {site.modulation.style for site in plan.sites if site.modulation}
        self._styles: dict[int, Tensor] = {}

    def run(self, inputs: tuple[Tensor, ...], seed: int) -> list[Tensor]:
        """Refit the network; return its outputs for all inputs.

        Raises:
            OtherCalls: The network makes other calls than its teacher.
        """
        self._inputs = inputs
        for site in self._plan.sites:
            if len(site.calls) > 1:
                self._fit_shared(site)
        return run(self._model, inputs, self._watch, seed)

    def _watch(self, number: int, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        check_same(self._plan, number, name)
        if number in self._styled and (scale := scale_of(args)) is not None:
            self._styles[number] = scale
        if number in self._sites:
            self._fit(self._sites[number], number, name, func, args, kwargs)
        elif name == "batch_norm":
            self._estimate(number, args, kwargs)
        output = func(*args, **kwargs)
        if is_weighted(name, args, kwargs):
            layer, x, weight, _ = layer_of(name, args, kwargs)
            self.macs += pass_macs(layer, x, weight, output)
        if number in self._needed:
            self._kept[number] = output
        for source in [source for source in self._kept if self._needed[source] <= number]:
            del self._kept[source]
        return output

    def _fit(self, site: Site, number: int, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """Fit a layer to its targets, given its present inputs."""
        layer, x, weight, bias = layer_of(name, args, kwargs)
        why = self._targets.refused.get(number, "")
        if not why and layer.grid(output_shape(func, args, kwargs)) != self._targets.grids[number]:
            why = "its rows are channels that were also cut"
        if why:
            self.layers[site.weight] = RefittedLayer(site.weight, False, why)
            return
        if site.modulation is not None:
            self._fit_modulated(site, site.modulation, layer, x, number)
            return
        first, second = (
            layer_parts(layer, layer.patches(x, places), self._target(site, layer, places, values), weight, places)
            for places, values in zip(self._targets.places[number], self._targets.values[number], strict=True)
        )
        self._write(site, layer, weight, bias, first, second)
        self._targets.values.pop(number)

    def _fit_modulated(self, site: Site, around: Modulation, layer: Layer, x: Tensor, number: int) -> None:
        """Fit a modulated convolution to its targets, given its present inputs and style."""
        parameter = weight_of(self._model, site.weight)
        own = parameter.detach().transpose(0, 1) if around.swapped else parameter.detach()
        rows, other = (
            ModulatedRows(layer.patches(x, places).double(), values.double(), places[:, 0].to(x.device))
            for places, values in zip(self._targets.places[number], self._targets.values[number], strict=True)
        )
        try:
            found = fit_modulated(rows, other, self._styles.pop(around.style), layer.matrices(own)[0], self._ridges)
        except NotRefitted as reason:
            self.layers[site.weight] = RefittedLayer(site.weight, False, str(reason))
            return
        why = "the weights after the cut are better on held-out inputs"
        if found.weight_OIT is not None:
            value = layer.kernel_of(found.weight_OIT[None], own)
            value = value.transpose(0, 1) if around.swapped else value
            stored = store(self._model, site.weight, parameter, value)
            why = "" if stored is not None and stored.exact else "its parametrization takes no values"
            if why and stored is not None:
                stored.undo()
        kept = not why
        self.layers[site.weight] = RefittedLayer(
            site.weight, kept, why, found.ridge if kept else 0.0, found.before, found.after if kept else found.before
        )
        self._targets.values.pop(number)

    def _target(self, site: Site, layer: Layer, places: Tensor, values: Tensor) -> Tensor:
        """Return a layer's target outputs: the target minus later terms, divided by its factor."""
        if site.path is None:
            return values
        values = values.clone()
        for term in site.path.terms:
            source = self._inputs[-1 - term.source] if term.source < 0 else self._kept[term.source]
            values -= term.factor * layer.at(source, places)
        return values / site.path.factor

    def _fit_shared(self, site: Site) -> None:
        """Fit a weight of several calls to all of them together, given the teacher's inputs."""
        if refused := [self._targets.refused[number] for number in site.calls if number in self._targets.refused]:
            self.layers[site.weight] = RefittedLayer(site.weight, False, refused[0])
            return
        weight = weight_of(self._model, site.weight)
        bias = weight_of(self._model, site.bias) if site.bias else None
        first: list[Taps] = []
        second: list[Taps] = []
        for number, layer in zip(site.calls, site.layers, strict=True):
            for parts, which in ((first, 0), (second, 1)):
                read, places = self._targets.inputs[number][which], self._targets.places[number][which]
                parts += layer_parts(layer, read, self._targets.values[number][which], weight, places)
            self._targets.inputs.pop(number)
        self._write(site, site.layers[0], weight, bias, merged(first), merged(second))

    def _write(
        self, site: Site, layer: Layer, weight: Tensor, bias: Tensor | None, first: list[Taps], second: list[Taps]
    ) -> None:
        """Fit a weight, and write the solution to the network if it is better than the present weight."""
        shared = None if bias is None else layer.grouped(bias.detach()[None])[:, 0]  # [G, O]
        fitted = bias is not None and bool(site.bias)
        by_taps = {one.taps: one.part for one in second}
        pairs = [(one, by_taps[one.taps]) for one in first if one.taps in by_taps]
        if not pairs:
            self.layers[site.weight] = RefittedLayer(site.weight, False, "it has no outputs on the held-out inputs")
            return
        found = fit(
            [one.part for one, _ in pairs],
            [other for _, other in pairs],
            shared if fitted else None,
            None if fitted else shared,
            self._ridges,
        )
        why = "" if found.solution else "the weights after the cut are better on held-out inputs"
        if found.solution is not None:
            values = layer.matrices(weight.detach()).double().clone()
            for (one, _), own in zip(pairs, found.solution.weights_GOD, strict=True):
                values[..., list(one.taps)] = own.unflatten(-1, (-1, len(one.taps)))
            stored = store(self._model, site.weight, weight, layer.kernel_of(values, weight))
            if stored is None:
                why = "its parametrization takes no values"
            else:
                if not stored.exact:
                    kernel = layer.matrices(stored.values)
                    nearest = tuple(kernel[..., list(one.taps)].flatten(2) for one, _ in pairs)
                    found = with_weights(
                        [one.part for one, _ in pairs],
                        [other for _, other in pairs],
                        nearest,
                        found,
                        None if fitted else shared,
                    )
                if found.solution is None:
                    stored.undo()
                    why = "the nearest values that its parametrization can represent are not better on held-out inputs"
                elif bias is not None and found.solution.bias_GO is not None:
                    bias.data.copy_(found.solution.bias_GO.flatten())
        self.layers[site.weight] = _line(site.weight, found, why)

    def _estimate(self, number: int, args: Any, kwargs: Any) -> None:
        """Set a norm's running statistics so that its outputs have the teacher's mean and variance."""
        norm = norm_of(args, kwargs)
        if norm is None or number not in self._targets.statistics:
            return
        x, mean, variance = norm
        rows = rows_of(self._split.fitted, len(self._inputs[0]), len(x))
        if rows is None:
            return
        wanted_mean, wanted_variance = self._targets.statistics[number]
        own_mean, own_variance = statistics(x[rows.to(x.device)])
        ratio = own_variance / wanted_variance.clamp_min(1e-30)
        if bool(torch.isfinite(ratio).all()) and bool((own_variance > 0).all()):
            shift = (mean.double() - wanted_mean) * ratio.sqrt()
            mean.copy_(own_mean + shift)
            variance.copy_(variance.double() * ratio)


def _line(name: str, found: Fit, why: str) -> RefittedLayer:
    after = found.before if why else found.after
    return RefittedLayer(name, not why, why, 0.0 if why else found.ridge, found.before, after)
