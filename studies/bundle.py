"""The import path that exported cards print: `from ganprune.studies.bundle import load_bundle`."""

from .bundles.bundle import load_bundle, read_architecture

__all__ = ["load_bundle", "read_architecture"]
