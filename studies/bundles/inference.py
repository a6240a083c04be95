"""Runs an exported generator: translates a folder of images, or draws samples from latents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ...gan_models.data.layouts import IMAGE_SUFFIXES, images_under
from ...gan_models.export.catalog import EXPORTERS
from ...gan_models.files.errors import UserError
from ...gan_models.training.loop import best_device
from .architecture import BundleError
from .bundle import check_files, load_bundle, read_architecture, read_card
from .format_files import FileGenerator, Generate, outputs_of

Half = Literal["", "A", "B"]
MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True)
class Translated:
    """What came of a run.

    Attributes:
        folder: Where the images are.
        written: Their names.
        skipped: `name: reason` of inputs that could not be read.
    """

    folder: Path
    written: tuple[str, ...]
    skipped: tuple[str, ...] = ()


def run_bundle(
    path: str | Path,
    input_dir: str | Path | None,
    out_dir: str | Path,
    batch_size: int = 8,
    device: str = "auto",
    half: Half = "",
    n: int = 16,
    seed: int = 0,
    catalog_only: bool = False,
    format: str = "",
) -> Translated:
    """Runs the generator of a bundle and writes PNGs.

    Args:
        path: The bundle.
        input_dir: Images (PNG, JPEG, ...), resized to the bundle's input; None for a generator that starts from
            latents.
        out_dir: Where PNGs of the same names go; made where it does not exist.
        batch_size: Images at once.
        device: auto, cpu, cuda.
        half: For aligned pictures (A|B side by side): the half that is the input; empty takes the whole image.
        n: Samples of a generator that starts from latents.
        seed: Of these latents.
        catalog_only: As for `load_bundle`.
        format: Run the bundle's file of this export format in its runtime, in the place of the PyTorch network.

    Raises:
        BundleError: The bundle is damaged, or has no file of the format.
        ValueError: No images, a wrong option, or outputs that are no images.
    """
    if batch_size < 1 or n < 1:
        raise UserError(f"batch size {batch_size} and {n} samples: both must be 1 or more")
    if half not in ("", "A", "B"):
        raise UserError(f"half {half!r} is unknown; use A or B, or leave it out for whole images")
    model = _file_of(path, format) if format else _network_of(path, catalog_only, best_device(device))
    shape, out = read_architecture(Path(path).expanduser()).input_shape, Path(out_dir).expanduser()
    if len(shape) == 1:
        if input_dir is not None:
            raise UserError("this generator starts from latents: leave out --input, say how many with --samples")
        return _sample(model, shape[0], out, batch_size, n, seed)
    if input_dir is None:
        raise UserError("this generator translates images: give their folder with --input")
    return _translate(model, shape, Path(input_dir).expanduser(), out, batch_size, half)


def _network_of(path: str | Path, catalog_only: bool, device: torch.device) -> Generate:
    model = load_bundle(path, catalog_only).to(device)
    return lambda x: outputs_of(model, x.to(device))


def _file_of(path: str | Path, name: str) -> Generate:
    folder = check_files(path)
    files = read_card(folder).files
    if name not in files:
        EXPORTERS.find(name)  # raises: says which there are
        raise BundleError(
            f"{folder} has no file of format {name}: it has {', '.join(files) or 'none'}; export it again with "
            f"--formats {','.join([*files, name])}"
        )
    return FileGenerator(EXPORTERS.find(name), folder / files[name].file)


def _sample(model: Generate, length: int, out: Path, batch_size: int, n: int, seed: int) -> Translated:
    random = torch.Generator().manual_seed(seed)
    latents = torch.randn(n, length, generator=random)
    out.mkdir(parents=True, exist_ok=True)
    names = [f"sample-{seed}-{i:05d}.png" for i in range(n)]
    for start in range(0, n, batch_size):
        images = _outputs(model, latents[start : start + batch_size])
        for name, image in zip(names[start:], images, strict=False):
            image.save(out / name)
    return Translated(out, tuple(names))


def _translate(
    model: Generate, shape: tuple[int, ...], folder: Path, out: Path, batch_size: int, half: Half
) -> Translated:
    if not folder.is_dir():
        raise UserError(f"input {folder} is not a folder; give a folder of images")
    if out.resolve() == folder.resolve():
        raise UserError(f"--out {out} is the folder of the inputs, which would be overwritten; give another")
    paths = images_under(folder)
    if not paths:
        raise UserError(f"input {folder} holds no images ({', '.join(IMAGE_SUFFIXES)})")
    if shape[0] not in MODES:
        raise BundleError(f"the generator takes {shape[0]} channels; only 1 or 3 can be read from images")
    stems = [path.stem for path in paths]
    out.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    skipped: list[str] = []
    for batch in _read(paths, shape, half, batch_size, skipped):
        images = _outputs(model, torch.stack([x for _, x in batch]))
        for (path, _), image in zip(batch, images, strict=True):
            # a.jpg beside a.png: neither may overwrite the other
            name = f"{path.stem}.png" if stems.count(path.stem) == 1 else f"{path.name}.png"
            image.save(out / name)
            written.append(name)
    if not written:
        raise UserError(f"none of {len(paths)} images in {folder} can be read: {'; '.join(skipped[:3])}")
    return Translated(out, tuple(written), tuple(skipped))


def _read(
    paths: list[Path], shape: tuple[int, ...], half: Half, batch_size: int, skipped: list[str]
) -> Iterator[list[tuple[Path, Tensor]]]:
    batch: list[tuple[Path, Tensor]] = []
    for path in paths:
        try:
            batch.append((path, read_image(path, shape, half)))
        except UnidentifiedImageError:
            skipped.append(f"{path.name}: not an image")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            skipped.append(f"{path.name}: {' '.join(str(error).split()) or type(error).__name__}")
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


def read_image(path: Path, shape: tuple[int, ...], half: Half = "") -> Tensor:
    """One image as the generator eats it: float32 (C, H, W) in [-1, 1], resized as in training.

    Raises:
        OSError, ValueError: It cannot be read, or is too narrow for two halves.
    """
    channels, height, width = shape
    with Image.open(path) as file:
        picture = file.convert(MODES[channels])
    if half:
        if picture.width <= picture.height:
            raise UserError(f"{picture.width}x{picture.height} is too narrow for A|B side by side")
        middle = picture.width // 2
        left = 0 if half == "A" else middle
        picture = picture.crop((left, 0, left + middle, picture.height))
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    values = np.array(picture, dtype=np.float32).reshape(height, width, channels).transpose(2, 0, 1)
    return torch.from_numpy(values.copy()).div_(127.5).sub_(1.0)


def to_picture(image: Tensor) -> Image.Image:
    """An image (1 or 3, H, W) in [-1, 1] as a picture.

    Raises:
        ValueError: Another shape, or values that are not finite.
    """
    if image.dim() != 3 or len(image) not in MODES:
        raise UserError(f"outputs of shape {tuple(image.shape)} are no images of 1 or 3 channels")
    if not bool(torch.isfinite(image).all()):
        raise UserError("the generator's output is not finite")
    values = image.float().cpu().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    pixels = values.permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[:, :, 0] if len(image) == 1 else pixels)


def _outputs(model: Generate, x: Tensor) -> list[Image.Image]:
    return [to_picture(image) for image in model(x)]
