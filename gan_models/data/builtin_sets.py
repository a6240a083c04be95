"""The built-in sets as pictures: `builtin:shapes` and `builtin:stripes`, drawn from a seed."""

from __future__ import annotations

from torch import Tensor

from ..files.hashes import json_sha256
from .image_readers import Pictures, in_form, rendered
from .spec import DataSpec, PictureForm
from .synthetic import render_shapes, render_stripes, shape_classes

DRAWING, PAINTING = 0, 1
_VERSION = 1  # raise this when the built-in scenes change


def shapes(spec: DataSpec, split: str, *parts: tuple[int, PictureForm]) -> Pictures:
    """Return the entries of `builtin:shapes`; a scene is drawn as a square, and resized to another form.

    Args:
        spec: The data, with seed and counts.
        split: "train", "val" or "test".
        parts: Parts of an entry in order: `DRAWING` or `PAINTING`, and its form.
    """
    forms = [form for _, form in parts]
    sides = {max(form.size) for form in forms}

    def render(indices: range) -> tuple[Tensor, ...]:
        scenes = {side: render_shapes(spec.seed, split, indices, side) for side in sides}
        return tuple(in_form(scenes[max(form.size)][part], form) for part, form in parts)

    return rendered(render, _count(spec, split), forms)


def shape_labels(spec: DataSpec, split: str) -> list[int]:
    """Return the label of each entry of `builtin:shapes`: the kind of its largest shape, one of `SHAPE_KINDS`."""
    return [int(kind) for kind in shape_classes(spec.seed, split, range(_count(spec, split)))]


def stripes(spec: DataSpec, split: str, domain: str, form: PictureForm) -> Pictures:
    """Return images of `builtin:stripes`: plain shapes for domain A, striped ones for B; arguments as for `shapes`."""

    def render(indices: range) -> tuple[Tensor, ...]:
        return (in_form(render_stripes(spec.seed, split, domain, indices, max(form.size)), form),)

    return rendered(render, _count(spec, split), [form])


def builtin_fingerprint(spec: DataSpec) -> str:
    """Return the sha256 (hex) of all that determines a built-in set's content."""
    parts = [spec.source, _VERSION, spec.seed, spec.n_train, spec.n_test]
    return json_sha256(parts)


def _count(spec: DataSpec, split: str) -> int:
    return spec.n_train if split == "train" else spec.n_test
