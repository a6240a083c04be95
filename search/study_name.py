"""A study's name, which names a folder on every system."""

import re

from ..gan_models.files.errors import UserError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_study_name(name: str) -> str:
    """Return `name`, if it can name a folder everywhere.

    Raises:
        UserError: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"a study's name is up to 100 letters, digits, '.', '_' or '-', the first a letter or digit; got {name!r}"
        )
    return name
