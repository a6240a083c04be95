"""All networks of the zoo by name."""

from __future__ import annotations

from .entry import Entry
from .networks.activations import ACTIVATIONS
from .networks.attention import ATTENTION
from .networks.conditioning import CONDITIONING
from .networks.convolutions import CONVOLUTIONS
from .networks.layouts import LAYOUTS
from .networks.norms import NORMS
from .networks.regions import REGIONS
from .networks.resampling import RESAMPLING
from .networks.skips import SKIPS
from .networks.splits import SPLITS
from .networks.structure import STRUCTURE
from .networks.upscalers import UPSCALERS
from .networks.weights import WEIGHTS

FAMILIES: dict[str, list[Entry]] = {
    "norms": NORMS,
    "activations": ACTIVATIONS,
    "skips": SKIPS,
    "splits": SPLITS,
    "attention": ATTENTION,
    "weights": WEIGHTS,
    "convolutions": CONVOLUTIONS,
    "resampling": RESAMPLING,
    "conditioning": CONDITIONING,
    "layouts": LAYOUTS,
    "regions": REGIONS,
    "structure": STRUCTURE,
    "upscalers": UPSCALERS,
}
ZOO: dict[str, Entry] = {entry.name: entry for entries in FAMILIES.values() for entry in entries}
