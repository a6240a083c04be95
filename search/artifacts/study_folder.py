"""The folder of a study's files, `<root>/<study>/<trial number>/`, and results that are put on disk whole."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.errors import UserError
from ...gan_models.files.kept_copies import SOURCE
from ...gan_models.files.parsers.structured_text import parse_json
from ...gan_models.files.plain_values import from_json
from ..records.layout_0_1 import upgraded_outcome
from ..records.messages import TrialOutcome, TrialRequest
from ..study_name import check_study_name
from .remote import RemoteFolder, cache_of, is_url

RESULT = "result.json"
OWNER = "study.json"  # in a study's folder: which study's files they are
CURVE = "curve.json"
SHOWN_FILES = ".dashboard"  # beside the studies' folders: files that optuna-dashboard shows, `<study's id>-...`


def write_result(request: TrialRequest, result: TrialOutcome) -> None:
    """Put a trial's result into its folder: from here on a crash cannot lose it."""
    value = {"number": request.number, "attempt": request.attempt, "result": result}
    write_json(Path(request.workspace) / RESULT, value)


def read_result(workspace: str | Path, number: int) -> TrialOutcome | None:
    """Return the result of trial `number` in its folder; None if there is none, or it is another trial's."""
    value = read_json(Path(workspace) / RESULT)
    if value is None or value.get("number") != number:
        return None
    try:
        return from_json(TrialOutcome, upgraded_outcome(value["result"]))
    except (KeyError, TypeError, ValueError):
        return None


def write_curve(workspace: str | Path, rungs: Mapping[int, float]) -> None:
    """Keep a trial's quality by rung next to its checkpoint: the next attempt does not measure these rungs again."""
    write_json(Path(workspace) / CURVE, rungs)


def read_curve(workspace: str | Path) -> dict[int, float]:
    """Return what `write_curve` kept; empty if there is nothing."""
    try:
        return {int(step): float(quality) for step, quality in (read_json(Path(workspace) / CURVE) or {}).items()}
    except (TypeError, ValueError):
        return {}


@dataclass(frozen=True)
class StudyFolder:
    """A study's files under `root`.

    Attributes:
        root: The folder of all artifacts, of any study; made absolute, because workers have another cwd.
        study: The study's name.
        remote: URL of the artifacts where they lie behind one; `root` is then this machine's copy.
    """

    root: Path
    study: str
    remote: str = ""

    def __post_init__(self):
        object.__setattr__(self, "root", Path(self.root).expanduser().absolute())
        check_study_name(self.study)

    @classmethod
    def at(cls, artifacts: str | Path, study: str) -> Self:
        """Return the study's files under a folder or an fsspec URL. Raise RuntimeError for an unknown kind of URL."""
        if not is_url(artifacts):
            return cls(Path(artifacts), study)
        folder = cls(cache_of(str(artifacts)), study, str(artifacts).rstrip("/"))
        folder.behind()
        return folder

    @property
    def path(self) -> Path:
        """The study's folder."""
        return self.root / self.study

    @property
    def teacher(self) -> Path:
        """The teacher's folder."""
        return self.path / "teacher"

    @property
    def source(self) -> Path:
        """The folder of copies: the user's own code, the latency profile."""
        return self.path / SOURCE

    def trial(self, number: int) -> Path:
        """Return the folder of one trial."""
        return self.path / str(number)

    def workspace(self, number: int) -> str:
        """Return the place where a worker finds the folder of one trial: a path, or a URL."""
        return f"{self.remote}/{self.study}/{number}" if self.remote else str(self.trial(number))

    def behind(self, name: str = "") -> RemoteFolder:
        """Return the study's remote folder, or one inside it."""
        return RemoteFolder("/".join(part for part in (self.remote, self.study, name) if part))

    def push(self, name: str) -> None:
        """Copy one of the study's folders (`teacher`, `source`) to where workers find it."""
        if self.remote and (self.path / name).is_dir():
            self.behind(name).push(self.path / name)

    def pull(self, name: str = "") -> None:
        """Copy what was kept of the study, or of one of its folders, to this machine; training states stay there."""
        if self.remote:
            self.behind(name).pull(self.path / name, without=("checkpoint", "prune"))

    def claim(self, study_id: str, new: bool) -> None:
        """Mark the folder as that of a study, so that no other study of the same name uses its files.

        Args:
            study_id: Of the study, as its record has it.
            new: Whether the study has no files yet: then any that are there are another's.

        Raises:
            ValueError: It holds another study's files.
        """
        owner = self._owner()
        if owner not in ("", study_id) or (new and not owner and self._holds_files()):
            place = f"{self.remote}/{self.study}" if self.remote else str(self.path)
            raise UserError(
                f"{place} holds the files of another study named {self.study!r} (of another database, or of one that "
                "is gone): --artifacts names another place, --study another name; remove the folder if nothing of it "
                "is wanted"
            )
        mark = {"id": study_id, "study": self.study}
        if self.remote:
            if (read_json(self.path / OWNER) or {}).get("id") != study_id:
                shutil.rmtree(self.path, ignore_errors=True)  # this machine's copy of what was there before
            if not owner:
                self.behind().write(OWNER, json.dumps(mark).encode())
        if self.remote or not owner:
            write_json(self.path / OWNER, mark)

    def _owner(self) -> str:
        if not self.remote:
            return str((read_json(self.path / OWNER) or {}).get("id", ""))
        content = self.behind().read(OWNER)
        return "" if content is None else str(parse_json(content.decode()).get("id", ""))

    def _holds_files(self) -> bool:
        if self.remote:
            return self.behind().size("teacher") > 0 or self.behind().size("0") > 0
        return (self.path / "teacher").exists() or any(path.name.isdigit() for path in self.path.glob("*"))

    def result(self, number: int) -> TrialOutcome | None:
        """Return what trial `number` left on disk, if it came so far."""
        if self.remote and (content := self.behind(str(number)).read(RESULT)) is not None:
            self.trial(number).mkdir(parents=True, exist_ok=True)
            (self.trial(number) / RESULT).write_bytes(content)
        return read_result(self.trial(number), number)

    def remove(self) -> None:
        """Delete the study's folder with everything in it, and its files that optuna-dashboard shows."""
        for path in (self.root / SHOWN_FILES).glob(f"{owner}-*") if (owner := self._owner()) else ():
            path.unlink(missing_ok=True)
        if self.remote:
            self.behind().remove()
        shutil.rmtree(self.path, ignore_errors=True)
