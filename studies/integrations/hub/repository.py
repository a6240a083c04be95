"""Bundles on the Hugging Face Hub: uploaded as model repositories, and fetched by `hf:user/name@revision`.

Of a repository only the files that the bundle's manifest names are fetched. Their sha256 are compared when it is
opened. Code of its own is refused unless the user allows it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ....gan_models.files.atomic_folders import fresh_folder
from ....gan_models.files.errors import UserError, WorkFailed
from ....gan_models.files.packages import Package, check_installed
from ...bundles.bundle import CARD_TEXT, MANIFEST, check_files, read_architecture, read_card, read_manifest
from ...bundles.card_text import card_text
from ..model_card import HEADER_MARK

SCHEME = "hf:"
HUB = Package("huggingface_hub", extra="hub")
README = "README.md"  # the page that the Hub shows: the bundle's card
_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]{0,94}[A-Za-z0-9])?")
_REVISION = re.compile(r"[\w.][\w./-]*")


@dataclass(frozen=True)
class HubReference:
    """A bundle on the Hub.

    Attributes:
        name: `user/name`.
        revision: Branch, tag or commit; empty: the default branch.
    """

    name: str
    revision: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the reference of `user/name` or `user/name@revision`, with or without `hf:`.

        Raises:
            UserError: Another form.
        """
        name, at, revision = text.removeprefix(SCHEME).partition("@")
        parts = name.split("/")
        if len(parts) != 2 or not all(map(_NAME.fullmatch, parts)) or (at and not _REVISION.fullmatch(revision)):
            raise UserError(f"no repository of the Hub: got {text!r}; expected USER/NAME or USER/NAME@REVISION")
        return cls(name, revision)


def from_hub(bundle: str | Path) -> bool:
    """Return True if a bundle is named by `hf:`. Such a bundle must not run code of its own unless the user says so."""
    return str(bundle).startswith(SCHEME)


def local_bundle(bundle: str | Path) -> Path:
    """Return the folder of a bundle: as given, or fetched from the Hub into its cache.

    Raises:
        UserError: The reference has another form, or there is no such bundle.
        WorkFailed: The Hub cannot be reached, or `huggingface_hub` is not installed.
    """
    if not from_hub(bundle):
        return Path(bundle)
    reference = HubReference.parse(str(bundle))
    check_installed(f"{SCHEME} bundles", [HUB])
    from huggingface_hub import hf_hub_download  # pyright: ignore[reportMissingImports]

    def fetch(file: str) -> Path:
        with _in_one_line(f"cannot fetch {file} of {SCHEME}{reference.name}"):
            return Path(hf_hub_download(reference.name, file, revision=reference.revision or None))
        raise AssertionError

    manifest = fetch(MANIFEST)
    folder = manifest.parent
    for file in read_manifest(folder).files:
        if Path(file).is_absolute() or ".." in Path(file).parts:
            raise UserError(
                f"{SCHEME}{reference.name} is not a bundle: its manifest names {file!r}, outside of its folder"
            )
        if fetch(file).parent != (folder / file).parent:  # the branch moved on between two files
            raise WorkFailed(f"{SCHEME}{reference.name} changed while it was fetched; run the command again")
    return folder


def write_repository(bundle: str | Path, out: str | Path, overwrite: bool = False) -> Path:
    """Write the folder that is uploaded: the bundle's files, and its card as the page of the repository.

    Args:
        bundle: The bundle's folder; each file is compared with the manifest.
        out: The folder to write.
        overwrite: Replace a bundle that is there.

    Raises:
        BundleError: A file is missing or damaged.
        UserError: `out` exists.
    """
    folder = check_files(bundle)
    with fresh_folder(out, MANIFEST, overwrite) as made:
        for file in (*read_manifest(folder).files, MANIFEST):
            (made / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / file, made / file)
        text = (folder / CARD_TEXT).read_text(encoding="utf-8", errors="replace")
        if not text.startswith(f"{HEADER_MARK}\n"):  # a bundle of an earlier version
            architecture = read_architecture(folder)
            text = card_text(read_card(folder), architecture.inputs, architecture.output)
        (made / README).write_text(text, encoding="utf-8")
    return Path(out)


def push_repository(folder: Path, reference: HubReference, private: bool) -> str:
    """Upload a folder of `write_repository` as one commit; return its address.

    Args:
        folder: The folder.
        reference: The repository; it is made if it is not there.
        private: Make a new repository private.

    Raises:
        UserError: There is no token, or it may not write there.
        WorkFailed: The Hub cannot be reached.
    """
    check_installed("push", [HUB])
    from huggingface_hub import HfApi, get_token  # pyright: ignore[reportMissingImports]

    if reference.revision:
        raise UserError(
            f"push writes a new commit: got revision {reference.revision!r}; expected {reference.name} alone"
        )
    if get_token() is None:
        raise UserError(
            "push needs a token of the Hugging Face Hub: got none; expected HF_TOKEN, or a login. Try `hf auth login`"
        )
    api = HfApi(library_name="ganprune")
    with _in_one_line(f"cannot push to {reference.name}"):
        api.create_repo(reference.name, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=reference.name, folder_path=folder, commit_message="Upload a ganprune bundle"
        )
        return str(commit.commit_url)
    raise AssertionError


@contextmanager
def _in_one_line(what: str) -> Iterator[None]:
    """Turn errors of the Hub's client into one line: a user's mistake if the Hub refuses, else work that failed."""
    from huggingface_hub.errors import (  # pyright: ignore[reportMissingImports]
        EntryNotFoundError,
        HfHubHTTPError,
        HTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except LocalEntryNotFoundError as error:
        raise WorkFailed(f"{what}: the Hub cannot be reached, and it is not in the cache") from error
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
        kind = type(error).__name__.removesuffix("NotFoundError").replace("Entry", "File").lower()
        raise UserError(f"{what}: no such {kind}, or it is private and the token may not read it") from error
    except HfHubHTTPError as error:
        code = error.response.status_code if error.response is not None else 0
        text = " ".join(str(error.server_message or error).split())[:200]
        raise (UserError if code in (401, 403) else WorkFailed)(f"{what}: the Hub answered {code}: {text}") from error
    except (HTTPError, OSError) as error:
        raise WorkFailed(f"{what}: the Hub cannot be reached: {type(error).__name__}") from error
