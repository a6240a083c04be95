"""A repair of `import torchvision` next to a torch that its compiled operators were not built for.

A CUDA build of torchvision next to a CPU torch cannot load its compiled library. Its Python part (all that the
Inception network needs) would still work, but `import torchvision` describes two of the missing operators to torch and
fails with "operator torchvision::nms does not exist". Defining their schemas first avoids that. Calling one of the
operators still fails with a clear error.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
# A Library removes its definitions when it is garbage-collected: it has to live as long as torchvision.
_REGISTERED_LIBRARIES: list[torch.library.Library] = []


def make_torchvision_importable() -> bool:
    """Make torchvision importable; call it before importing torchvision or pytorch_fid. It does nothing if not needed.

    Returns:
        True if operator schemas had to be defined; False if torchvision's own operators load, torchvision is already
        imported or is not installed.
    """
    if _REGISTERED_LIBRARIES:
        return True
    if "torchvision" in sys.modules or _compiled_operators_load():
        return False
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        if not _is_defined(name):
            library.define(schema)
    _REGISTERED_LIBRARIES.append(library)
    return True


def _compiled_operators_load() -> bool:
    package = importlib.util.find_spec("torchvision")
    if package is None or not package.submodule_search_locations:
        return True  # nothing to repair: the import itself will say that torchvision is missing
    folder = Path(next(iter(package.submodule_search_locations)))
    for suffix in (*importlib.machinery.EXTENSION_SUFFIXES, ".so", ".pyd"):
        compiled = folder / f"_C{suffix}"
        if compiled.exists():
            try:
                torch.ops.load_library(str(compiled))
            except OSError:
                return False
            return _is_defined("nms")
    return False


def _is_defined(name: str) -> bool:
    try:
        getattr(torch.ops.torchvision, name)
    except AttributeError:
        return False
    return True
