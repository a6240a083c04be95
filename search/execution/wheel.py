"""This very ganprune as a wheel, for workers of a cluster that may have none, or another version."""

import base64
import hashlib
import zipfile
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

FOLDERS = ("gan_models", "evaluators", "spaces", "search", "studies")
KINDS = (".py", ".safetensors", ".json", ".jinja")


def build_wheel(folder: Path) -> Path:
    """Write `ganprune-<version>-py3-none-any.whl`, from the files that are imported here.

    It names no requirements: where it is installed for a worker, pip would fetch torch anew beside the one that is
    there. The same files give the same bytes, so that a cluster that has the wheel takes it from its cache.

    Args:
        folder: where to write it.

    Returns:
        The wheel's path.
    """
    number = version("ganprune")
    info = f"ganprune-{number}.dist-info"
    content = {
        f"ganprune/{name}/{path.relative_to(root).as_posix()}": path.read_bytes()
        for name in FOLDERS
        for root in [Path(import_module(f"ganprune.{name}").__path__[0])]
        for path in sorted(root.rglob("*"))
        if path.suffix in KINDS
    }
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: ganprune\nVersion: {number}\n".encode()
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: ganprune\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in content.items())
    content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = folder / f"ganprune-{number}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # ZipInfo: a fixed date
    return wheel


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
