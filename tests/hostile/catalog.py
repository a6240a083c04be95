"""The table of kinds of hostile input."""

from . import bundles, checkpoints, databases, pictures, texts
from .kind import Kind

KINDS: dict[str, Kind] = {**pictures.KINDS, **checkpoints.KINDS, **texts.KINDS, **bundles.KINDS, **databases.KINDS}
