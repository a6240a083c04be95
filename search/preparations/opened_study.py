"""A resolved study's live part, which every trial uses: opened at first use, once per process."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from ...gan_models.costs.combined_budgets import Bound
from ...gan_models.data.spec import BUILTIN, DataSpec, is_own
from ...gan_models.files.errors import DataGone
from ...gan_models.reconstruction.calibration import Calibration
from ..config import StudyConfig
from ..records.prepared_artifact import Prepared
from ..resolved_study import ResolvedStudy
from ..setup.kept_files import with_own_files
from ..setup.opened_profile import profile_source
from ..setup.search_space import PrunedGenerator, SearchSpace
from ..setup.study_parts import StudyParts
from ..strategy.proposals import SpaceProposals
from .prepared_study import PreparedStudy


class OpenedStudy(PreparedStudy):
    """A resolved study with its networks, images, groups and preparations.

    Args:
        resolved: The study.
        prepared: The preparations; None if there are none yet.
        like: Parts that are open already.
    """

    def __init__(
        self, resolved: ResolvedStudy, prepared: Prepared | None = None, like: StudyParts | None = None
    ) -> None:
        super().__init__(resolved.config, prepared, like, resolved.output, resolved.groups.whole)
        self.resolved = resolved
        self.calibrations: dict[
            str, Calibration
        ] = {}  # calibration by generator, made by the first trial that needs it

    @property
    def data_sha256(self) -> str:  # type: ignore[override]  # no file is read again for what is resolved
        """Hash of the data's content, as the study was resolved with it."""
        return self.resolved.data.sha256

    def data_spec(self) -> DataSpec:
        """Return the data that images are read from.

        Raises:
            UserError: The data have been moved.
        """
        check_there(self.config)
        return super().data_spec()

    @cached_property
    def space(self) -> SearchSpace:
        """The study's groups with the prices of their plans."""
        return SearchSpace.of(self.resolved, self)

    @property
    def sides(self) -> tuple[PrunedGenerator, ...]:
        """Each generator with its own groups if several are pruned, else empty."""
        return self.space.generators

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The budgets that every plan of a single generator meets in addition to its target."""
        return self.space.bounds

    def proposals(self) -> SpaceProposals:
        """Return the spaces of all methods."""
        return self.space.proposals()

    def kept_in(self, folder: Path) -> OpenedStudy:
        """Return the study with the user's own files and the profiles of costs copied to its folder."""
        config = with_own_files(self.config, folder)
        for name, profile in self.profiles.items():
            config = profile_source(name).kept(config, profile, folder)
        return OpenedStudy(replace(self.resolved, config=config), self.prepared, like=self)


def check_there(config: StudyConfig) -> None:
    """Raise DataGone unless a study's data are at the recorded path."""
    if config.data in BUILTIN or is_own(config.data) or Path(config.data).expanduser().exists():
        return
    raise DataGone(
        f"the data of study {config.name!r} is gone: got no {config.data}; expected the folder that it was searched "
        f"with. Try putting it back, or `ganprune resume {config.name} --data FOLDER`, which records its new place"
    )


_LATEST_STUDY: dict[tuple[str, ...], OpenedStudy] = {}


def open_study(
    resolved: ResolvedStudy, prepared: Prepared | None = None, parts: StudyParts | None = None
) -> OpenedStudy:
    """Return the live part of a study; a process caches the last one, because consecutive trials often share it.

    Args:
        resolved: The study.
        prepared: The preparations; None if there are none yet.
        parts: Parts that are open already, if newer than the cached ones.
    """
    config, prepared = resolved.config, prepared or Prepared()
    key = (config.name, resolved.fingerprint, config.device, config.model)
    known = _LATEST_STUDY.get(key)
    if parts is None and known is not None and (known.resolved, known.prepared) == (resolved, prepared):
        return known
    opened = OpenedStudy(resolved, prepared, parts or known)
    _LATEST_STUDY.clear()
    _LATEST_STUDY[key] = opened
    return opened
