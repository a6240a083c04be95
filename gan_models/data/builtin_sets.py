"""The built-in sets as pictures: `builtin:shapes` and `builtin:stripes`, drawn from a seed."""

from __future__ import annotations

from torch import Tensor

from ..files.hashes import json_sha256
from .image_readers import Pictures, rendered
from .spec import DataSpec
from .synthetic import render_shapes, render_stripes

DRAWING, PAINTING = 0, 1
_VERSION = 1  # raise when the built-in scenes change


def shapes(spec: DataSpec, split: str, size: int, *parts: int) -> Pictures:
    """Return entries of `builtin:shapes`.

    Args:
        spec: Seed and counts.
        split: "train", "val" or "test".
        size: Pixels per side.
        parts: What an entry is, in order: `DRAWING`, `PAINTING`, or both.
    """

    def render(indices: range) -> tuple[Tensor, ...]:
        scenes = render_shapes(spec.seed, split, indices, size)
        return tuple(scenes[part] for part in parts)

    return rendered(render, _count(spec, split), size, len(parts))


def stripes(spec: DataSpec, split: str, size: int, domain: str) -> Pictures:
    """Return images of `builtin:stripes`: of domain A plain shapes, of domain B striped ones; arguments as `shapes`."""
    return rendered(
        lambda indices: (render_stripes(spec.seed, split, domain, indices, size),), _count(spec, split), size, 1
    )


def builtin_fingerprint(spec: DataSpec) -> str:
    """Return the sha256 (hex) of what decides a built-in set's content."""
    parts = [spec.source, _VERSION, spec.seed, spec.n_train, spec.n_test]
    return json_sha256(parts)


def _count(spec: DataSpec, split: str) -> int:
    return spec.n_train if split == "train" else spec.n_test
