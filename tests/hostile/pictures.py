"""Hostile pictures, arrays and sounds."""

import io
import random
import wave
import zlib
from pathlib import Path
from struct import pack

import numpy as np
from ganprune.gan_models.data.inputs.part_files import label_map, mask, sound_length, values
from ganprune.gan_models.files.errors import UserError, WorkFailed
from ganprune.gan_models.files.pictures.picture import PictureError
from ganprune.gan_models.files.pictures.picture_reader import picture_doubt, picture_fault, picture_size, read_picture
from ganprune.gan_models.networks.specs import InputSpec
from PIL import Image

from .kind import Kind, any_file
from .mutations import mutated_bytes, splices

REFUSALS = (UserError, WorkFailed, PictureError)


def _seeds(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 16, 3), np.uint8)
    color, gray = Image.fromarray(pixels), Image.fromarray(pixels[:, :, 0])
    exif = Image.Exif()
    exif[274] = 6
    for suffix in ("png", "jpg", "webp", "gif", "bmp", "tif", "ppm", "tga", "ico", "jp2"):
        color.save(folder / f"color.{suffix}", **({"exif": exif} if suffix in ("png", "jpg", "webp") else {}))
    gray.save(folder / "gray.png")
    gray.convert("P").save(folder / "palette.png")
    Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 256).save(folder / "deep.png")
    Image.fromarray(pixels[:, :, 0].astype(np.float32)).save(folder / "float.tif")
    color.save(folder / "packed.tif", compression="tiff_lzw")
    color.save(folder / "several.gif", save_all=True, append_images=[gray.convert("RGB"), color])
    gray.save(folder / "several.tif", save_all=True, append_images=[gray, gray, gray, gray])
    color.convert("RGBA").save(folder / "alpha.png")
    np.save(folder / "planes.npy", np.random.default_rng(0).random((5, 8, 8), np.float32))


def _bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that declares a huge size, as its checksums confirm."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    head = pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _make(dice: random.Random, seeds: Path, case: Path) -> None:
    seed = any_file(seeds, dice)
    content, how = seed.read_bytes(), dice.randrange(12)
    if how == 0:
        other = any_file(seeds, dice).read_bytes()
        content = splices(content, other, dice)
    elif how == 1:
        content, seed = _bomb(dice.choice([2000, 12_000, 20_000, 2**31 - 1])), Path("bomb.png")
    elif how == 2 and content.startswith(b"\x89PNG"):
        content = _checked(mutated_bytes(content, dice))
    else:
        content = mutated_bytes(content, dice, any_file(seeds, dice).read_bytes())
    suffix = seed.suffix if dice.random() < 0.9 else dice.choice([".png", ".tif", ".jpg", ".npy"])
    (case / f"picture{suffix}").write_bytes(content)


def _checked(content: bytes) -> bytes:
    """A PNG whose checksums fit again, so that the damage reaches the decoder."""
    at, made = 8, bytearray(content[:8])
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        body = content[at + 4 : at + 8 + length]
        made += content[at : at + 4] + body + pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(made)


def _each(*readers) -> None:
    """Call every reader; the refusal of one does not hide a fault of the next."""
    refusal = None
    for read in readers:
        try:
            read()
        except (PictureError, ValueError, RuntimeError) as error:
            if not isinstance(error, REFUSALS):
                raise
            refusal = error
    if refusal is not None:
        raise refusal


def _read(case: Path, results: Path) -> None:
    (path,) = case.iterdir()
    spec = InputSpec.parse("image:3,8,8;mask:1,8,8;labels=label:4,8,8").inputs
    _each(
        lambda: picture_size(path),
        lambda: picture_fault(path),
        lambda: picture_fault(path, planes=5),
        lambda: picture_doubt(path),
        lambda: picture_doubt(path, 5),
        lambda: read_picture(path).formed("rgb", 8, 8),
        lambda: read_picture(path, 5).formed("planes", 8, 8, 5),
        lambda: mask(path, spec[1], 8, 8, soft=True),
        lambda: label_map(path, spec[2], 8, 8),
    )


def _value_seeds(folder: Path) -> None:
    np.save(folder / "vector.npy", np.ones(6, np.float32))
    np.save(folder / "label.npy", np.array(3))
    np.save(folder / "sound.npy", np.zeros((1, 50), np.float32))
    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(100))


_HEADERS = (
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2), }",
    "{'descr': [('a', '<f4', (2, 2))], 'fortran_order': False, 'shape': (6,), }",
    "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (6,), }",
    "{'descr': '<U3', 'fortran_order': False, 'shape': (6,), }",
    "{'descr': '<c8', 'fortran_order': True, 'shape': (6,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
    "{'descr': '|V4', 'fortran_order': False, 'shape': (6,), }",
    "(" * 4000,
    "__import__('this')",
)


def _make_values(dice: random.Random, seeds: Path, case: Path) -> None:
    seed = any_file(seeds, dice)
    if seed.suffix == ".npy" and dice.random() < 0.3:
        header = dice.choice(_HEADERS).encode()
        content = io.BytesIO()
        content.write(b"\x93NUMPY\x01\x00" + pack("<H", len(header)) + header + bytes(dice.choice([0, 24, 400])))
        (case / f"value{seed.suffix}").write_bytes(content.getvalue())
    else:
        (case / f"value{seed.suffix}").write_bytes(mutated_bytes(seed.read_bytes(), dice))


def _read_values(case: Path, results: Path) -> None:
    (path,) = case.iterdir()
    spec = InputSpec.parse("vector:6;label:4;audio:1,40").inputs
    _each(*(lambda one=one: values(path, one) for one in spec), lambda: sound_length(path))


KINDS = {
    "pictures": Kind(_seeds, _make, _read, (PictureError,)),
    "vectors, labels and sounds": Kind(_value_seeds, _make_values, _read_values),
}
