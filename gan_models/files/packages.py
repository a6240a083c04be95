"""Packages that a part of ganprune needs, found without importing them; errors name the command that installs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from .errors import WorkFailed

UNKNOWN_VERSION = "unknown"


class PackageMissing(WorkFailed):
    """An error: a package is not installed; the message contains the command that installs it."""


@dataclass(frozen=True)
class Package:
    """A package that something needs.

    Attributes:
        module: Name for import: `PIL`.
        distribution: Name for installation: `pillow`; empty if it equals the module's.
        extra: The extra of ganprune that installs it and its companions: `litert`; empty if there is none.
    """

    module: str
    distribution: str = ""
    extra: str = ""

    @property
    def name(self) -> str:
        """Name for installation."""
        return self.distribution or self.module

    def installed(self) -> bool:
        """Return True if it could be imported; nothing is imported."""
        try:
            return find_spec(self.module) is not None
        except (ImportError, ValueError):  # a parent package is missing, or a module without a specification
            return False

    def version(self) -> str:
        """Return the installed version, or `unknown`."""
        try:
            return version(self.name)
        except PackageNotFoundError:
            return UNKNOWN_VERSION


def install_command(packages: Iterable[Package]) -> str:
    """Return the command that installs packages; those of an extra are installed through it."""
    wanted = dict.fromkeys(f"'ganprune[{package.extra}]'" if package.extra else package.name for package in packages)
    return f"pip install {' '.join(wanted)}"


def check_installed(what: str, packages: Iterable[Package]) -> None:
    """Raise PackageMissing unless all packages that `what` needs are installed.

    Args:
        what: The subject of the message: `format onnx`.
        packages: The packages that it needs.
    """
    missing = [package for package in packages if not package.installed()]
    if missing:
        names = ", ".join(package.name for package in missing)
        raise PackageMissing(f"{what} needs {names}, which is not installed; {install_command(missing)}")
