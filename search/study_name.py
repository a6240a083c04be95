"""A study's name, which names a folder on every system."""

import re

from ..gan_models.files.errors import UserError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_study_name(name: str) -> str:
    """Return `name` if it is a valid folder name on every system.

    Raises:
        UserError: It is not.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"invalid name of a study: got {name!r}; expected up to 100 letters, digits, '.', '_' or '-', the first a "
            f"letter or digit"
        )
    return name
