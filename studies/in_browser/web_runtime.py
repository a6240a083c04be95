"""The runtime that a page executes generators with: onnxruntime-web of one version, whose files are known by hash."""

from __future__ import annotations

import base64
import hashlib
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...gan_models.files.errors import UserError

VERSION = "1.30.0"
ADDRESS = f"https://cdn.jsdelivr.net/npm/onnxruntime-web@{VERSION}/dist/"
PACK_COMMAND = f"npm pack onnxruntime-web@{VERSION}"
MODULE, BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
# Of the files of this version, in base64, as a browser compares them (subresource integrity).
SHA384: Mapping[str, str] = {
    MODULE: "PLWz+nHEVHpjwBsO0YVdvQj6n5814Iv8E3b8FG0Rp/uIAtjFMCKOpP66iPzedrIG",
    BINARY: "vjBJ1z7qrhkTyYsNqKeF6c7N+nOJSU94czEo+tvZcu8G75JparGq9kB+kTnEUNVM",
}
_PLACES = ("", "dist", "package/dist", "node_modules/onnxruntime-web/dist")


@dataclass(frozen=True)
class WebFile:
    """A file of the runtime as a page gets it.

    Attributes:
        name: Its name.
        address: Its place in the network; a page that contains the file does not ask for it.
        integrity: What the browser compares it with.
    """

    name: str
    address: str
    integrity: str


def web_files() -> tuple[WebFile, ...]:
    """Return the runtime's files: the module, then the WebAssembly."""
    return tuple(WebFile(name, f"{ADDRESS}{name}", f"sha384-{digest}") for name, digest in SHA384.items())


def read_runtime(path: Path) -> dict[str, bytes]:
    """Return the runtime's files by name.

    Args:
        path: The package as `npm pack` writes it (`.tgz`), or a folder with its files.

    Raises:
        UserError: There is no such file, it lacks one of the files, or one is of another version.
    """
    path = path.expanduser()
    if path.is_dir():
        found = _of_folder(path)
    elif path.is_file():
        found = _of_package(path)
    else:
        raise UserError(
            f"--web-runtime {path} cannot be read: got nothing of this name; expected a file. Try `{PACK_COMMAND}`"
        )
    for name, digest in SHA384.items():
        if name not in found:
            raise UserError(
                f"--web-runtime {path} lacks {name}: expected onnxruntime-web {VERSION}. Try `{PACK_COMMAND}`"
            )
        got = base64.b64encode(hashlib.sha384(found[name]).digest()).decode()
        if got != digest:
            raise UserError(
                f"--web-runtime {path} is another version: got {name} with sha384 {got[:16]}...; expected "
                f"{digest[:16]}..., of onnxruntime-web {VERSION}. Try `{PACK_COMMAND}`"
            )
    return found


def _of_folder(folder: Path) -> dict[str, bytes]:
    places = {name: [folder / place / name for place in _PLACES] for name in SHA384}
    files = {name: next((path for path in paths if path.is_file()), None) for name, paths in places.items()}
    return {name: path.read_bytes() for name, path in files.items() if path is not None}


def _of_package(path: Path) -> dict[str, bytes]:
    found = {}
    try:
        with tarfile.open(path) as package:
            for name in SHA384:
                try:
                    file = package.extractfile(f"package/dist/{name}")
                except KeyError:
                    continue
                if file is not None:
                    found[name] = file.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UserError(
            f"--web-runtime {path} cannot be read: got {type(error).__name__}; "
            f"expected a package or a folder. Try `{PACK_COMMAND}`"
        ) from None
    return found
