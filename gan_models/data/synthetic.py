"""Generated image sets that need no file and no download: `builtin:shapes` and `builtin:stripes`.

A scene is a horizon and a few shapes. It can be drawn (`drawing`: ink on paper) or painted (`painting`: lit, colored,
textured). The drawing determines the painting: the kind of a shape gives its color, its size the shade of that color,
its line style the texture. So drawing -> painting is a function that a generator can learn. Light comes from straight
above: a mirrored pair is a valid pair.

Every number of image i comes from a hash of (seed, split, i, slot): any image can be rendered alone, in any order, on
any machine, and at any size. Original to ganprune.

Shapes: N images, S shapes per scene, H = W = image size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..files.errors import UserError
from .spec import SPLITS

_SHAPES_PER_SCENE = 3
_SLOTS_PER_SHAPE = 8
SHAPE_KINDS = ("disc", "triangle", "square", "star")
SHAPE_LABELS = ("sky", "ground", *SHAPE_KINDS)  # of the label maps, by number
# Kinds: disc, triangle, square, star. A shape is the region inside a folded polyline: `corners` outer points
# at radius 1 and as many inner points at radius `waist`; a regular n-gon has waist cos(pi / n).
_CORNERS = np.array([24.0, 3.0, 4.0, 5.0], np.float32)
_WAIST = np.array([np.cos(np.pi / 24), np.cos(np.pi / 3), np.cos(np.pi / 4), 0.46], np.float32)
# Triangles and squares of one outer radius look smaller than discs: make the areas more equal.
_RADIUS = np.array([0.82, 1.12, 1.0, 1.14], np.float32)
# Color of a small and of a large shape of each kind, RGB in [0, 1].
_SMALL_RGB = np.array([[0.98, 0.72, 0.15], [0.20, 0.75, 0.60], [0.45, 0.50, 0.95], [0.98, 0.55, 0.75]], np.float32)
_LARGE_RGB = np.array([[0.85, 0.20, 0.12], [0.08, 0.45, 0.25], [0.42, 0.15, 0.62], [0.75, 0.10, 0.40]], np.float32)
_PIXELS_PER_CHUNK = 1 << 16  # number of images at a time, so that the work arrays fit into a core's cache


@dataclass(frozen=True)
class _Scenes:
    """The parameters of N scenes, (N, S) except `horizon` (N,); lengths in units of the image side, y downwards."""

    horizon: np.ndarray
    kind: np.ndarray
    style: np.ndarray
    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    size01: np.ndarray
    turn: np.ndarray


def _mix(values: np.ndarray) -> np.ndarray:
    """Return SplitMix64's output function (Steele, Lea, Flood 2014): uint64 -> well mixed uint64."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _uniform(key: int, indices: np.ndarray, n_slots: int) -> np.ndarray:
    """Return numbers in [0, 1), float32 (N, n_slots), a function of (key, index, slot) only."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        stream = _mix(np.array([key % 2**64], np.uint64) * golden + golden)
        image = _mix(stream + (indices.astype(np.uint64)[:, None] + np.uint64(1)) * golden)
        bits = _mix(image + (np.arange(n_slots, dtype=np.uint64)[None] + np.uint64(1)) * golden)
    return ((bits >> np.uint64(40)).astype(np.float32) / np.float32(2**24)).astype(np.float32)


def _scenes(key: int, indices: np.ndarray) -> _Scenes:
    n_slots = 2 + _SHAPES_PER_SCENE * _SLOTS_PER_SHAPE
    u = _uniform(key, indices, n_slots)
    v = u[:, 2:].reshape(len(indices), _SHAPES_PER_SCENE, _SLOTS_PER_SHAPE)
    kind = (v[..., 0] * 4).astype(np.int64)
    size01 = v[..., 2]
    # The shapes are placed around a circle, with jitter: scenes are full, and most of each shape is visible.
    around = 2 * np.pi * (u[:, 1:2] + (np.arange(_SHAPES_PER_SCENE, dtype=np.float32) + 0.5 * v[..., 3]) / 3)
    spread = 0.18 + 0.14 * v[..., 4]
    radius = (0.14 + 0.12 * size01) * _RADIUS[kind]
    return _Scenes(
        horizon=(0.25 + 0.5 * u[:, 0]).astype(np.float32),
        kind=kind,
        style=(v[..., 1] * 3).astype(np.int64),
        x=(0.5 + spread * np.cos(around)).astype(np.float32),
        y=(0.5 + spread * np.sin(around)).astype(np.float32),
        radius=radius.astype(np.float32),
        size01=size01,
        turn=(2 * np.pi * v[..., 5]).astype(np.float32),
    )


@dataclass(frozen=True)
class _Shape:
    """One shape of each of N scenes on the pixel grid, (N, H, W); lengths in units of the image side."""

    inside: np.ndarray  # signed distance to the outline, positive inside
    shadow: np.ndarray  # the same for the outline shifted down
    angle: np.ndarray  # in the shape's own frame, radians
    down: np.ndarray  # distance below the center
    up: np.ndarray  # height above the center, as a share of the radius


def _distance(dx: np.ndarray, dy: np.ndarray, radius, turn, corners, waist) -> tuple[np.ndarray, np.ndarray]:
    """Return the signed distance (positive inside) to a folded polyline's edge lines, and the angle."""
    angle = np.arctan2(dy, dx) - turn
    sector = np.float32(2 * np.pi) / corners
    folded = np.abs(angle - sector * np.round(angle / sector))
    length = np.sqrt(dx * dx + dy * dy)
    px, py = length * np.cos(folded), length * np.sin(folded)
    # The edge runs from (1, 0) to waist * (cos, sin)(pi / corners), scaled by the radius.
    ex, ey = waist * np.cos(sector / 2) - 1, waist * np.sin(sector / 2)
    inside = (ex * py - ey * (px - radius)) / np.sqrt(ex * ex + ey * ey)
    return inside, angle


def _shape(scenes: _Scenes, s: int, xs: np.ndarray, ys: np.ndarray, with_shadow: bool) -> _Shape:
    def column(values: np.ndarray) -> np.ndarray:
        return values[:, s][:, None, None]

    corners, waist = _CORNERS[scenes.kind], _WAIST[scenes.kind]
    dx, dy = xs - column(scenes.x), ys - column(scenes.y)
    form = (column(scenes.radius), column(scenes.turn), column(corners), column(waist))
    inside, angle = _distance(dx, dy, *form)
    shadow = inside
    if with_shadow:
        shadow, _ = _distance(dx, dy - np.float32(0.07), *form)
    return _Shape(inside, shadow, angle, dy, -dy / column(scenes.radius))


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    centers = (np.arange(size, dtype=np.float32) + 0.5) / size
    return centers[None, None, :], centers[None, :, None]


def _draw(scenes: _Scenes, size: int) -> np.ndarray:
    """Return ink on paper, (N, H, W, 1) in [0, 1]: solid, dashed, double lines; later shapes cover earlier ones."""
    xs, ys = _grid(size)
    pixel = np.float32(1 / size)
    width = max(0.016, 1.1 / size)
    paper = np.ones((len(scenes.horizon), size, size), np.float32)
    line = np.clip((width / 2 - np.abs(ys - scenes.horizon[:, None, None])) / pixel + 0.5, 0, 1)
    paper = paper * (1 - line * np.ones_like(paper))
    for s in range(_SHAPES_PER_SCENE):
        shape = _shape(scenes, s, xs, ys, with_shadow=False)
        style = scenes.style[:, s][:, None, None]
        ink = np.clip((width / 2 - np.abs(shape.inside - width / 2)) / pixel + 0.5, 0, 1)
        dash = np.clip(np.sin(12 * shape.angle) * 2 + 0.6, 0, 1)
        inner = np.clip((width / 2 - np.abs(shape.inside - 3.2 * width)) / pixel + 0.5, 0, 1)
        ink = np.where(style == 1, ink * dash, np.where(style == 2, np.maximum(ink, inner), ink))
        cover = np.clip(shape.inside / pixel + 0.5, 0, 1)
        paper = paper * (1 - cover) + cover
        paper = paper * (1 - ink)
    return paper[..., None]


def _paint(scenes: _Scenes, size: int) -> np.ndarray:
    """Return the lit, colored, textured scene: (N, H, W, 3) in [0, 1]."""
    xs, ys = _grid(size)
    pixel = np.float32(1 / size)
    horizon = scenes.horizon[:, None, None]
    ground = np.clip((ys - horizon) / pixel + 0.5, 0, 1)
    depth = np.clip(ys - horizon, 0, None)
    # Furrows that widen towards the viewer; constant along x, so that a mirror image is a valid scene.
    furrow = 0.10 * np.sin(26 * np.sqrt(depth + 0.01))
    fade = np.clip(1 - (horizon - ys), 0, 1)
    image = np.empty((len(scenes.horizon), size, size, 3), np.float32)
    for c, (top, low, soil) in enumerate(((0.35, 0.92, 0.60), (0.60, 0.93, 0.55), (0.90, 0.88, 0.40))):
        sky = top + (low - top) * fade * fade
        image[..., c] = sky + (soil + furrow - 0.25 * depth - sky) * ground
    for s in range(_SHAPES_PER_SCENE):
        shape = _shape(scenes, s, xs, ys, with_shadow=True)
        kind, style = scenes.kind[:, s], scenes.style[:, s][:, None, None]
        image *= (1 - 0.38 * np.clip(shape.shadow / np.float32(0.03) + 0.5, 0, 1))[..., None]
        bulge = np.clip(shape.inside / np.float32(0.10), 0, 1)
        light = (0.62 + 0.22 * np.clip(shape.up, -1, 1) + 0.30 * bulge * (2 - bulge))[..., None]
        shine = np.exp(-8 * ((shape.up - 0.45) ** 2)) * bulge * np.where(style == 0, 0.45, 0.12)
        # Stripes are horizontal: a disc's outline does not show its rotation.
        stripes = np.clip(np.sin(shape.down * 75) * 2.2 + 0.5, 0, 1)
        rings = np.clip(np.sin(shape.inside * 90) * 2.2 + 0.5, 0, 1)
        texture = np.where(style == 1, stripes, np.where(style == 2, rings, 0))[..., None]
        mix = scenes.size01[:, s, None]
        color = (_SMALL_RGB[kind] * (1 - mix) + _LARGE_RGB[kind] * mix)[:, None, None, :]
        second = np.where(style[..., None] == 1, 0.96 - 0.12 * color, 0.30 * color)
        body = (color + (second - color) * texture) * light + shine[..., None]
        cover = np.clip(shape.inside / pixel + 0.5, 0, 1)[..., None]
        image += (body - image) * cover
    return image


def _bytes(images: np.ndarray) -> torch.Tensor:
    """Return (N, H, W, C) in about [0, 1] as uint8 (N, 3, H, W)."""
    pixels = np.clip(images * 255 + 0.5, 0, 255).astype(np.uint8).transpose(0, 3, 1, 2)
    if pixels.shape[1] == 1:
        pixels = np.repeat(pixels, 3, axis=1)
    return torch.from_numpy(np.ascontiguousarray(pixels))


def _key(seed: int, split: str, stream: int) -> int:
    if split not in SPLITS:
        raise ValueError(f"unknown split: got {split!r}; expected one of {', '.join(SPLITS)}")
    return (seed * 0x10001 + SPLITS.index(split) * 64 + stream) % 2**64


def _check(image_size: int) -> None:
    if not 8 <= image_size <= 4096:
        raise UserError(f"invalid size of built-in images: got {image_size}; expected 8 to 4096 pixels")


def render_shapes(seed: int, split: str, indices: Sequence[int], image_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pairs of `builtin:shapes`: outline drawings and the paintings of the same scenes.

    Args:
        seed: The set's seed.
        split: "train", "val" or "test"; scenes of different splits are independent.
        indices: Indices of the images, in any order and number (N).
        image_size: Pixels per side, 8 to 4096.

    Returns:
        Drawings and paintings, each uint8 (N, 3, image_size, image_size); image i depends on
        (seed, split, i, image_size) alone.

    Raises:
        ValueError: The split is unknown or the size out of range.
    """
    _check(image_size)
    key, drawings, paintings = _key(seed, split, 0), [], []
    for chunk in _chunks(indices, image_size):
        scenes = _scenes(key, chunk)
        drawings.append(_bytes(_draw(scenes, image_size)))
        paintings.append(_bytes(_paint(scenes, image_size)))
    return _joined(drawings, image_size), _joined(paintings, image_size)


def shape_classes(seed: int, split: str, indices: Sequence[int]) -> np.ndarray:
    """Return the kind of the largest shape of scenes of `builtin:shapes`, int64 (N,): disc, triangle, square or star.

    Args:
        seed: The set's seed.
        split: As for `render_shapes`.
        indices: Indices of the images (N).
    """
    scenes = _scenes(_key(seed, split, 0), np.asarray(list(indices), dtype=np.int64))
    largest = scenes.radius.argmax(1)
    return scenes.kind[np.arange(len(largest)), largest]


def render_shape_maps(seed: int, split: str, indices: Sequence[int], image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the label maps of scenes of `builtin:shapes`, and the number of the instance of each pixel.

    Args:
        seed: The set's seed.
        split: As for `render_shapes`.
        indices: Indices of the images (N).
        image_size: Pixels per side, 8 to 4096.

    Returns:
        Labels, indices of `SHAPE_LABELS`, and instances, 0 for sky and ground and then one per shape; each int64
        (N, image_size, image_size).

    Raises:
        ValueError: The split is unknown or the size out of range.
    """
    _check(image_size)
    labels, instances = list[np.ndarray](), list[np.ndarray]()
    xs, ys = _grid(image_size)
    for chunk in _chunks(indices, image_size):
        scenes = _scenes(_key(seed, split, 0), chunk)
        instance = np.zeros((len(chunk), image_size, image_size), np.int64)
        label = instance + (ys >= scenes.horizon[:, None, None])
        for s in range(_SHAPES_PER_SCENE):
            inside = _shape(scenes, s, xs, ys, with_shadow=False).inside > 0
            label = np.where(inside, 2 + scenes.kind[:, s][:, None, None], label)
            instance = np.where(inside, 1 + s, instance)
        labels.append(label)
        instances.append(instance)
    empty = [np.empty((0, image_size, image_size), np.int64)]
    return np.concatenate(labels or empty), np.concatenate(instances or empty)


def render_stripes(seed: int, split: str, domain: str, indices: Sequence[int], image_size: int) -> torch.Tensor:
    """Return images of `builtin:stripes`: painted scenes, all shapes plain (domain A) or all striped (domain B).

    Image i of A and image i of B are different scenes: the set is unpaired.

    Args:
        seed: The set's seed.
        split: "train", "val" or "test".
        domain: "A" (plain) or "B" (striped).
        indices: Indices of the images (N).
        image_size: Pixels per side, 8 to 4096.

    Returns:
        uint8 (N, 3, image_size, image_size).

    Raises:
        ValueError: The split or domain is unknown, or the size out of range.
    """
    _check(image_size)
    if domain not in ("A", "B"):
        raise ValueError(f"unknown domain: got {domain!r}; expected A (plain) or B (striped)")
    key, images = _key(seed, split, 1 if domain == "A" else 2), []
    for chunk in _chunks(indices, image_size):
        scenes = _scenes(key, chunk)
        scenes.style[:] = 0 if domain == "A" else 1
        images.append(_bytes(_paint(scenes, image_size)))
    return _joined(images, image_size)


def _chunks(indices: Sequence[int], image_size: int) -> list[np.ndarray]:
    numbers = np.asarray(list(indices), dtype=np.int64)
    n = max(1, _PIXELS_PER_CHUNK // image_size**2)
    return [numbers[i : i + n] for i in range(0, len(numbers), n)]


def _joined(parts: list[torch.Tensor], image_size: int) -> torch.Tensor:
    return torch.cat(parts) if parts else torch.empty(0, 3, image_size, image_size, dtype=torch.uint8)
