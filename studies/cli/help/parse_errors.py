"""Errors of the command line's parser, as one line in the form of all other errors."""

from __future__ import annotations

from typing import Any

import typer

from ....gan_models.files.errors import UserError
from ....gan_models.files.texts.near_names import did_you_mean

# typer 0.29 contains its own click, and earlier versions take the package: this is the class of either.
_ERROR_TEXTS = {  # kinds of pydantic's errors
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
}
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def user_error(error: Any) -> UserError:
    """Return an error of the parser as a `UserError`: its message, near names, and the help to look into.

    Args:
        error: A `UsageError`.
    """
    ctx = error.ctx
    path = ctx.command_path if ctx is not None else "ganprune"
    name = getattr(error, "option_name", "")
    if ctx is not None and name and "No such option" in error.message:
        known = [each for one in ctx.command.get_params(ctx) for each in (*one.opts, *one.secondary_opts)]
        known = [each for each in known if each.startswith("-")]
        near = did_you_mean(name, known)
        return UserError(f"unknown option {name} of `{path}`. {near or f'Try `{path} --help-all`'}")
    text = _of_value(error) or " ".join(error.format_message().split()).rstrip(".")
    return UserError(f"{text[:1].lower()}{text[1:]}. Try `{path} --help`")


def _of_value(error: Any) -> str:
    """Return what is wrong with an option's value, with the value; empty if the parser does not tell it."""
    try:
        (first,) = error.__cause__.errors()
        name = (getattr(error.param, "opts", None) or [error.param.name])[-1]
        expected = _ERROR_TEXTS.get(first["type"]) or first["msg"].partition(",")[0].removeprefix("Input should be ")
        return f"{name} is not possible: got {first['input']!r}; expected {expected}"
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""


def unknown_command(name: str, known: list[str]) -> UserError:
    """Return the error of a command that does not exist.

    Args:
        name: As it was typed.
        known: The commands.
    """
    near = did_you_mean(name, known)
    return UserError(f"unknown command {name!r}. {near or 'Try `ganprune --help`'}")
