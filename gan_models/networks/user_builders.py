"""A function that builds a generator: found in a package or a file, called with checked arguments.

Importing this module imports no torch.
"""

import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def load_builder(model: str) -> Callable[..., Any]:
    """The function that `package.module:function` or `path/to/file.py:function` names.

    Raises:
        ValueError: it cannot be found or loaded; one line that says what there is.
    """
    location, _, name = model.rpartition(":")
    if not location or not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", name):
        raise ValueError(f"model {model!r} must read package.module:function or path/to/file.py:function")
    if location.endswith(".py"):
        return _attribute(model, _load_file(Path(location).expanduser()))
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", location):
        raise ValueError(f"model {model!r}: {location!r} is neither a package.module nor a file ending in .py")
    return _attribute(model, _import(model, location))


def named_arguments(builder: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the keyword arguments that `builder` takes."""
    return tuple(p.name for p in _parameters(builder) if p.kind in _NAMED)


def call_builder(model: str, builder: Callable[..., Any], arguments: Mapping[str, Any]) -> "nn.Module":
    """The module that `builder` returns for these keyword arguments.

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
        message = f"{model} cannot be built with {given}: {_one_line(error)}"
        if isinstance(error, TypeError):
            message += f"; {_allowed(named_arguments(builder))}"
        raise ValueError(message) from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{model} returned {type(network).__name__}: it must return a torch.nn.Module")
    return network


def _import(model: str, name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ValueError(
                f"model {model!r}: there is no module {error.name!r}; install it, put its folder on "
                "PYTHONPATH, or name the file as path/to/file.py:function"
            ) from error
        raise ValueError(f"model {model!r}: importing {name} failed: {_one_line(error)}") from error
    except Exception as error:  # somebody else's code may raise anything
        raise ValueError(f"model {model!r}: importing {name} failed: {_one_line(error)}") from error


def _load_file(path: Path) -> ModuleType:
    """The file as a module whose name depends on its place and content: two files never share one."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ValueError(f"generator file {path} cannot be read: {error.strerror or error}") from error
    digest = hashlib.sha256(f"{path.resolve()}\0".encode() + source).hexdigest()[:16]
    name = f"ganprune_generator_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise ValueError(f"generator file {path} cannot be loaded as Python")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look a class's module up here
    try:
        exec(compile(source, str(path.resolve()), "exec"), module.__dict__)  # the very bytes that were hashed
    except ModuleNotFoundError as error:
        del sys.modules[name]
        raise ValueError(
            f"generator file {path} imports {error.name!r}, which is not installed: the file must stand "
            "alone or import installed packages only"
        ) from error
    except Exception as error:  # somebody else's code may raise anything
        del sys.modules[name]
        raise ValueError(f"generator file {path} cannot be loaded: {_one_line(error)}") from error
    return module


def _attribute(model: str, module: ModuleType) -> Callable[..., Any]:
    from torch import nn

    place, _, name = model.rpartition(":")
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            # Only what is defined there: an imported class is rarely what was meant.
            own = [
                key
                for key, value in vars(module).items()
                if not key.startswith("_") and callable(value) and getattr(value, "__module__", None) == module.__name__
            ]
            raise ValueError(f"{place} has no {name!r}; it defines {', '.join(own) or 'no function'}")
        found = getattr(found, part)
    if isinstance(found, nn.Module) or not callable(found):
        raise ValueError(
            f"{model} is {type(found).__name__}, not a function: name one that returns a new torch.nn.Module"
        )
    return found


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
            raise ValueError(f"argument name {name!r} of {model} is not a Python name; {_allowed(allowed)}")
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    unknown = [name for name in arguments if name not in allowed]
    if unknown and not takes_any:
        raise ValueError(f"{model} has no argument {', '.join(map(repr, unknown))}; {_allowed(allowed)}")
    missing = [
        p.name
        for p in parameters
        if p.default is inspect.Parameter.empty
        and p.name not in arguments
        and p.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    ]
    if missing:
        raise ValueError(f"{model} needs a value for {', '.join(map(repr, missing))}; {_allowed(allowed)}")


def _allowed(names: Sequence[str]) -> str:
    return f"allowed arguments: {', '.join(names)}" if names else "it takes no named arguments"


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"
