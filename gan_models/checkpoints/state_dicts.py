"""Tensors of a checkpoint that belong to a network: alone, under a key, or with a prefix, by names and shapes.

A file's content is one tree of dotted names: `{"g_ema": {"conv.weight": ...}}` and `{"g_ema.conv.weight": ...}` are the
same. The tensors under a dotted key are a network's state dict if their names and shapes are the network's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from ..files.errors import UserError
from ..files.texts.number_text import counted

CHOICE = "::"  # FILE::key
LEGACY_NORM_KEYS = ("running_mean", "running_var", "num_batches_tracked")
PORTED_NORM_KEYS = {"scale": "weight", "shift": "bias"}  # of an InstanceNorm that was written by hand

# The weight, and the vectors u and v, of a spectral norm: as torch's parametrization calls them, and as others do.
SPECTRAL_KEYS = ("parametrizations.weight.original", "parametrizations.weight.0._u", "parametrizations.weight.0._v")
# The factor and the direction of a weight norm, likewise.
NORMED_KEYS = ("parametrizations.weight.original0", "parametrizations.weight.original1")
OTHER_NORMED_KEYS = ("weight_g", "weight_v")
OTHER_SPECTRAL_KEYS = (
    ("weight_orig", "weight_u", "weight_v"),
    ("module.weight_bar", "module.weight_u", "module.weight_v"),
)


def located(source: str | Path) -> tuple[Path, str]:
    """Return a checkpoint's file, and the key chosen in it: `FILE` or `FILE::key` (empty if there is none)."""
    text = str(source)
    if CHOICE not in text or Path(text).is_file():
        return Path(text).expanduser(), ""
    path, _, key = text.rpartition(CHOICE)
    return Path(path).expanduser(), key


def fitting(model: nn.Module, content: Any, key: str = "") -> dict[str, Tensor]:
    """Return the one state dict in `content` that fits `model`.

    Five differences of old checkpoints are allowed: running statistics of an InstanceNorm without any (before PyTorch
    0.4); its `scale` and `shift` (networks from Torch7, as CartoonGAN's); a BatchNorm without `num_batches_tracked`
    (before 0.4.1); a spectral norm by torch's older hook (`weight_orig`) or by a module around the layer
    (`module.weight_bar`, as SAGAN's); and a weight norm by torch's older hook (`weight_g`, `weight_v`), or removed. A
    network's method `own_names` may allow more: it takes name -> tensor, and returns the same with the network's names.

    Args:
        model: The network; not changed.
        content: A checkpoint's content: nested mappings, tensors, and objects that are ignored.
        key: Dotted key of the part to use. Empty: all.

    Returns:
        Name in the network -> tensor.

    Raises:
        UserError: None fits, several do, or values cannot be a network's. The message continues a sentence that begins
            with the checkpoint's name.
    """
    if not isinstance(content, Mapping):
        raise UserError(f"is not a state dict: got {type(content).__name__}; expected names with tensors")
    tensors = dict(_flat(content))
    if not tensors:
        other = [str(name) for name in content]
        raise UserError(f"is not a state dict: {f'{first(other)} is not a tensor' if other else 'it is empty'}")
    wanted = model.state_dict()
    key = _whole_key(key, tensors)
    within = {name: value for name, value in tensors.items() if not key or name.startswith(f"{key}.")}
    if not within:
        there = [place.removesuffix(".") for place in _places(tensors, wanted) if place]
        there += [name for name in _holders(content) if not any(f"{place}.".startswith(f"{name}.") for place in there)]
        raise UserError(f"contains no state dict under {key!r}; expected one of {first(there, 12)}")
    holders = [name for name in _holders(content) if not key or name == key or name.startswith(f"{key}.")]
    here: dict[tuple[str, str], dict[str, Tensor]] = {}
    fits: dict[tuple[str, str], dict[str, Tensor]] = {}
    found: dict[tuple[str, str], dict[str, Tensor]] = {}  # prefixes of the network's own names that were tried
    for outer in _outer_prefixes(wanted):  # prefixes of a wrapper in the network that the checkpoint lacks
        inner = [name.removeprefix(outer) for name in wanted]
        places = dict.fromkeys([*_places(within, inner), *(f"{name}." if name else "" for name in holders)])
        here = {(outer, place): _under(within, place, outer) for place in places}
        found = found or here
        fits = {place: given for place, given in here.items() if not _faults(wanted, _modern(model, wanted, given))}
        if fits:
            break
    if fits:  # a copy of a network may be inside it, such as an average: it fits alone, and so does the rest without it
        inner = {place for _, place in fits if place}
        for place, given in here.items():
            rest = {name: t for name, t in given.items() if not f"{place[1]}{name}".startswith(tuple(inner))}
            if place not in fits and not place[0] and inner and not _faults(wanted, _modern(model, wanted, rest)):
                raise UserError(
                    f"contains the network's tensors twice, under {place[1].removesuffix('.') or 'their own names'!r} "
                    f"and "
                    f"inside that under {first(sorted(name.removesuffix('.') for name in inner))!r}; expected one "
                    "state dict. Try to save one of them alone"
                )
    if len(fits) > 1:
        names = [place.removesuffix(".") for _, place in fits]
        raise UserError(
            f"contains several state dicts that fit the network: expected a choice of one, "
            f"FILE{CHOICE}{first(names, 12)}"
        )
    if fits:
        (given,) = fits.values()
        _check_values(model, given)
        return _modern(model, wanted, given)
    best = max(found.values(), key=lambda given: (len(wanted.keys() & given.keys()), len(given)))
    others = f"; the file contains {first(holders, 12)}" if len(holders) > 1 else ""
    raise UserError(
        f"does not fit the network: {', '.join(_faults(wanted, _modern(model, wanted, best)))}. Try to build the "
        f"network with the checkpoint's arguments (width, blocks, norm, dropout){others}"
    )


def holders_of(content: Mapping[Any, Any], place: str = "") -> dict[str, dict[str, Tensor]]:
    """Return the tensors of each mapping that contains tensors itself, by its dotted key; optimizers are ignored."""
    own = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    found = {place: own} if own else {}
    for name, value in content.items():
        if isinstance(value, Mapping) and not _of_optimizer(value):
            found |= holders_of(value, f"{place}.{name}" if place else str(name))
    return found


def first(names: Sequence[str], n: int = 3) -> str:
    """Return the first names as text for a message."""
    shown = ", ".join(names[:n])
    return f"{shown}, ..." if len(names) > n else shown


def _flat(content: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in content.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        elif isinstance(value, Mapping) and not _of_optimizer(value):
            yield from _flat(value, f"{prefix}{name}.")


def _holders(content: Mapping[Any, Any], prefix: str = "") -> list[str]:
    """Return the dotted keys of the mappings that contain tensors themselves."""
    found = [prefix.removesuffix(".")] if any(isinstance(value, Tensor) for value in content.values()) else []
    for name, value in content.items():
        if isinstance(value, Mapping) and not _of_optimizer(value):
            found += _holders(value, f"{prefix}{name}.")
    return found


def _of_optimizer(content: Mapping[Any, Any]) -> bool:
    return "param_groups" in content


def _whole_key(key: str, names: Iterable[str]) -> str:
    """Return the full dotted key of a user's key: itself, or the only key that ends with it."""
    key = key.rstrip(".")
    names = list(names)
    if not key or any(name.startswith(f"{key}.") for name in names):
        return key
    ending = {f"{name.partition(f'.{key}.')[0]}.{key}" for name in names if f".{key}." in name}
    return ending.pop() if len(ending) == 1 else key


def _check_values(model: nn.Module, given: Mapping[str, Tensor]) -> None:
    """Refuse weights that diverged or were quantized; a buffer may contain infinities if the network's own does."""
    own = {name: tensor for name, tensor in model.state_dict().items() if name in given and tensor.is_floating_point()}
    unstored = [name for name in given if given[name].is_meta]
    if unstored:
        raise UserError(
            f"has no values for {counted(len(unstored), 'tensor')} ({first(unstored)}), which were on the meta "
            f"device. Try to save the network after its weights were loaded"
        )
    odd = [f"{name} (complex)" for name in own if given[name].is_complex()]
    odd += [f"{name} (sparse)" for name in own if given[name].layout != torch.strided]
    if odd:
        raise UserError(
            f"contains complex or sparse values for {counted(len(odd), 'tensor')} ({first(odd)}); expected real, "
            f"dense ones. Try to convert them"
        )
    integers = [f"{name} ({str(given[name].dtype).removeprefix('torch.')})" for name in own if _whole(given[name])]
    if integers:
        raise UserError(
            f"contains integers for {counted(len(integers), 'tensor')} ({first(integers)}); expected floating-point "
            f"weights. Try a checkpoint from before the network was quantized"
        )
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    broken = {
        name: int((~torch.isfinite(_computable(given[name]))).sum())
        for name, tensor in own.items()
        if name in parameters or (not tensor.is_meta and bool(torch.isfinite(tensor).all()))
    }
    shown = [f"{n} of {given[name].numel()} in {name}" for name, n in broken.items() if n]
    if shown:
        raise UserError(
            f"contains values that are not finite ({first(shown)}). Try a checkpoint from before training diverged"
        )


def _computable(tensor: Tensor) -> Tensor:
    """Return a tensor in a type that PyTorch computes with; 8-bit floats are for storage only."""
    return tensor.float() if tensor.element_size() == 1 else tensor


def _whole(tensor: Tensor) -> bool:
    return tensor.is_quantized or not (tensor.is_floating_point() or tensor.is_complex())


def _outer_prefixes(wanted: Mapping[str, Tensor]) -> list[str]:
    """Return the prefixes that all names of a network share, the empty one first: `net.` of `net.body.0.weight`."""
    prefixes = [""]
    for parts in zip(*(name.split(".")[:-1] for name in wanted), strict=False):
        if len(set(parts)) > 1:
            break
        prefixes.append(f"{prefixes[-1]}{parts[0]}.")
    return prefixes


def _places(tensors: Mapping[str, Tensor], wanted: Iterable[str]) -> list[str]:
    """Return the prefixes under which a name required by the network exists, in files of any PyTorch version."""
    anchor = next((name for name in wanted if not name.endswith(LEGACY_NORM_KEYS)), None)
    if anchor is None:
        return [""]
    return [name.removesuffix(anchor) for name in tensors if name == anchor or name.endswith(f".{anchor}")]


def _under(tensors: Mapping[str, Tensor], place: str, outer: str) -> dict[str, Tensor]:
    return {outer + name.removeprefix(place): value for name, value in tensors.items() if name.startswith(place)}


def _modern(model: nn.Module, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict as the current PyTorch would have written it."""
    own_names = getattr(model, "own_names", None)
    given = {**(own_names(given) if callable(own_names) else given)}  # type: ignore[misc]  # of a user's network
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.instancenorm._InstanceNorm) and not module.track_running_stats:
            for key in LEGACY_NORM_KEYS:
                given.pop(f"{name}.{key}" if name else key, None)
            for old, new in PORTED_NORM_KEYS.items():
                before, after = (f"{name}.{key}" if name else key for key in (old, new))
                if module.affine and before in given and before not in wanted and after not in given:
                    given[after] = given.pop(before)
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            key = f"{name}.num_batches_tracked" if name else "num_batches_tracked"
            if key in wanted and key not in given:
                given[key] = torch.zeros_like(wanted[key], device="cpu")
        elif is_parametrized(module, "weight"):
            start = f"{name}." if name else ""
            for keys in OTHER_SPECTRAL_KEYS:
                names = dict(zip((*keys, "module.bias"), (*SPECTRAL_KEYS, "bias"), strict=True))
                if f"{start}{keys[0]}" in given and f"{start}{SPECTRAL_KEYS[1]}" in wanted:
                    given |= {start + new: given.pop(start + old) for old, new in names.items() if start + old in given}
            given |= _normed(start, wanted, given)
    return given


def _normed(start: str, wanted: Mapping[str, Tensor], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a layer's weight norm under their names in torch's parametrization; take them from `given`.

    A weight whose norm was removed gives its factor, the norm over all axes but the first, and itself as direction.

    Args:
        start: Prefix of the layer's names.
        wanted: The network's tensors.
        given: A checkpoint's tensors.
    """
    factor, direction = (start + key for key in NORMED_KEYS)
    if factor not in wanted or factor in given:
        return {}
    old = [start + key for key in OTHER_NORMED_KEYS]
    if all(key in given for key in old):
        return dict(zip((factor, direction), (given.pop(key) for key in old), strict=True))
    weight = given.get(f"{start}weight")
    if weight is None or weight.ndim != wanted[direction].ndim or not weight.is_floating_point():
        return {}
    del given[f"{start}weight"]
    return {factor: torch.linalg.vector_norm(weight, dim=(*range(1, weight.ndim),), keepdim=True), direction: weight}


def _faults(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    missing = [key for key in wanted if key not in given]
    unexpected = [key for key in given if key not in wanted]
    misshapen = [
        f"{key} {tuple(given[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted
        if key in given and given[key].shape != wanted[key].shape
    ]
    return [
        f"{len(found)} {kind} ({first(found)})"
        for kind, found in (("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen))
        if found
    ]
