"""A function that builds a generator: found in a package or a file, called with checked arguments.

Importing this module imports no torch.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..files.errors import UserError
from ..files.user_code import load_object, one_line

if TYPE_CHECKING:
    from torch import nn

_KEYWORD_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def load_builder(model: str) -> Callable[..., Any]:
    """Return the function that `package.module:function` or `path/to/file.py:function` names.

    Raises:
        ValueError: it cannot be found or loaded; one line that says what there is.
    """
    from torch import nn

    found = load_object(model, "model")
    if isinstance(found, nn.Module) or not callable(found):
        raise UserError(
            f"{model} is {type(found).__name__}, not a function: name one that returns a new torch.nn.Module"
        )
    return found


def named_arguments(builder: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the keyword arguments that `builder` takes."""
    return tuple(p.name for p in _parameters(builder) if p.kind in _KEYWORD_KINDS)


def taken(builder: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the keyword arguments that `builder` takes, by its signature."""
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in _parameters(builder))
    return dict(arguments) if takes_any else {n: v for n, v in arguments.items() if n in named_arguments(builder)}


def needed(builder: Callable[..., Any], arguments: Mapping[str, Any]) -> list[str]:
    """Return the arguments without a default that `builder` takes and that are not among these."""
    several = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = [p for p in _parameters(builder) if p.kind not in several]
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.name not in arguments]


def with_arguments(
    builder: Callable[..., Any], arguments: Mapping[str, Any], fixed: Mapping[str, Any]
) -> Callable[..., Any]:
    """Return a builder with other defaults, and without the arguments that are fixed; its signature says so."""

    def build(**given: Any) -> Any:
        return builder(**{**arguments, **given, **fixed})

    parameters = [
        p.replace(default=arguments.get(p.name, p.default)) for p in _parameters(builder) if p.name not in fixed
    ]
    build.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    return build


def call_builder(model: str, builder: Callable[..., Any], arguments: Mapping[str, Any]) -> "nn.Module":
    """Return the module that `builder` makes with these keyword arguments.

    Args:
        model: what the user called the builder, for messages.
        builder: a function.
        arguments: keyword arguments.

    Raises:
        ValueError: an argument is unknown, missing or refused, or no `nn.Module` came back.
    """
    from torch import nn

    _check_arguments(model, builder, arguments)
    try:
        network = builder(**arguments)
    except Exception as error:  # somebody else's code may raise anything
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items()) or "no arguments"
        message = f"{model} cannot be built with {given}: {one_line(error)}"
        if isinstance(error, TypeError):
            message += f"; {_allowed(named_arguments(builder))}"
        raise UserError(message) from error
    if not isinstance(network, nn.Module):
        raise UserError(f"{model} returned {type(network).__name__}: it must return a torch.nn.Module")
    return network


def _parameters(builder: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(builder).parameters.values())
    except (TypeError, ValueError):  # builtins without a signature
        return [inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)]


def _check_arguments(model: str, builder: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    parameters = _parameters(builder)
    allowed = named_arguments(builder)
    for name in arguments:
        if not isinstance(name, str) or not name.isidentifier():
            raise UserError(f"argument name {name!r} of {model} is not a Python name; {_allowed(allowed)}")
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    unknown = [name for name in arguments if name not in allowed]
    if unknown and not takes_any:
        raise UserError(f"{model} has no argument {', '.join(map(repr, unknown))}; {_allowed(allowed)}")
    if missing := needed(builder, arguments):
        raise UserError(f"{model} needs a value for {', '.join(map(repr, missing))}; {_allowed(allowed)}")


def _allowed(names: Sequence[str]) -> str:
    return f"allowed arguments: {', '.join(names)}" if names else "it takes no named arguments"
