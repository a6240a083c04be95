"""Packages that a part of ganprune needs, looked up without importing them; what is missing names its command."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from .errors import WorkFailed

UNKNOWN = "unknown"


class PackageMissing(WorkFailed):
    """A package that is not installed; the message holds the command that installs it."""


@dataclass(frozen=True)
class Package:
    """A package that something needs.

    Attributes:
        module: The name it is imported by: `PIL`.
        distribution: The name it is installed by: `pillow`; empty if it is that of the module.
        extra: The extra of ganprune that installs it, with what else is needed then: `litert`; empty for none.
    """

    module: str
    distribution: str = ""
    extra: str = ""

    @property
    def name(self) -> str:
        """The name it is installed by."""
        return self.distribution or self.module

    def installed(self) -> bool:
        """Return whether it could be imported; nothing is."""
        try:
            return find_spec(self.module) is not None
        except (ImportError, ValueError):  # a parent package is missing, or a module without a specification
            return False

    def version(self) -> str:
        """Return the installed version, or `unknown`."""
        try:
            return version(self.name)
        except PackageNotFoundError:
            return UNKNOWN


def install_command(packages: Iterable[Package]) -> str:
    """Return the command that installs packages; those of an extra by its name."""
    wanted = dict.fromkeys(f"'ganprune[{package.extra}]'" if package.extra else package.name for package in packages)
    return f"pip install {' '.join(wanted)}"


def check_installed(what: str, packages: Iterable[Package]) -> None:
    """Raise PackageMissing unless everything that `what` needs is installed.

    Args:
        what: The subject of the message: `format onnx`.
        packages: What it needs.
    """
    missing = [package for package in packages if not package.installed()]
    if missing:
        names = ", ".join(package.name for package in missing)
        raise PackageMissing(f"{what} needs {names}, which is not installed; {install_command(missing)}")
