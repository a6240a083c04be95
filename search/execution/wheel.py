"""The wheel of the running ganprune and of the packages that add rows to it, for workers of a cluster.

A worker's machine may have none of them, or other versions. The wheel states no requirements: pip would otherwise fetch
torch again for a worker that has it. The same files give the same bytes, so that a cluster finds the wheel in its
cache.
"""

import base64
import hashlib
import re
import warnings
import zipfile
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from ...gan_models.files.plugin_packages import plugin_packages

FOLDERS = ("gan_models", "evaluators", "spaces", "search", "studies")
KINDS = (".py", ".safetensors", ".json", ".jinja", ".js", ".css")
OWN_FILES = ("__init__.py", "py.typed")  # parts of the package itself, whose folders may be anywhere


def build_wheel(folder: Path) -> Path:
    """Write `ganprune-<version>-py3-none-any.whl`: ganprune as it is imported here, and packages that add rows to it.

    It is one wheel, because Ray installs several in parallel, and a partly installed one ends a worker. Entry points of
    the packages are those of the wheel. A package with compiled parts is omitted with a warning: it must be installed
    on every machine of the cluster.

    Args:
        folder: Folder of the wheel.

    Returns:
        The wheel's path.
    """
    content = {
        f"ganprune/{name}/{path.relative_to(root).as_posix()}": path.read_bytes()
        for name in FOLDERS
        for root in [Path(import_module(f"ganprune.{name}").__path__[0])]
        for path in sorted(root.rglob("*"))
        if path.suffix in KINDS
    }
    itself = Path(import_module("ganprune").__path__[0])
    content |= {f"ganprune/{name}": (itself / name).read_bytes() for name in OWN_FILES}
    groups: dict[str, list[str]] = {}
    for package in plugin_packages():
        if package.compiled():
            warnings.warn(
                f"package {package.name} {package.version} has compiled parts, so it is not sent to workers. Try to "
                f"install it on every machine of the cluster",
                stacklevel=2,
            )
            continue
        content |= {name: path.read_bytes() for name, path in package.files().items()}
        for point in package.points:
            groups.setdefault(point.group, []).append(f"{point.name} = {point.value}")
    points = "\n".join(f"[{group}]\n" + "\n".join(sorted(lines)) + "\n" for group, lines in sorted(groups.items()))
    return _write(folder, "ganprune", version("ganprune"), content, {"entry_points.txt": points.encode()})


def _write(
    folder: Path, name: str, number: str, content: Mapping[str, bytes], extra: Mapping[str, bytes] | None = None
) -> Path:
    """Write a wheel of these files, and of further files of its metadata."""
    stem = f"{re.sub('[-_.]+', '_', name)}-{number}"
    info = f"{stem}.dist-info"
    metadata = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n".encode(),
        "WHEEL": b"Wheel-Version: 1.0\nGenerator: ganprune\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **(extra or {}),
    }
    content = {**content, **{f"{info}/{file}": data for file, data in metadata.items()}}
    record = "".join(f"{file},sha256={_digest(data)},{len(data)}\n" for file, data in content.items())
    content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in content.items():
            archive.writestr(zipfile.ZipInfo(file), data, zipfile.ZIP_DEFLATED)  # ZipInfo, for a fixed date
    return wheel


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
