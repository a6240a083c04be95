"""Options of commands for typer: shared ones, and those made from the fields of sections."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...gan_models.files.errors import UserError
from ...gan_models.files.pictures.image_size import read_image_size
from ..run_options import DEFAULT_STORAGE as DEFAULT_STORAGE  # every command's default
from ..run_options import STORAGE_DEFAULT, STORAGE_HELP, STORAGE_VARIABLE
from .help.command_help import OWN_PANEL
from .help.completion import study_names

if TYPE_CHECKING:
    from ...gan_models.networks.specs import InputSpec
    from ...search.configuration.flags import Flag

Name = Annotated[str, typer.Argument(help="Name of the study.", metavar="STUDY", autocompletion=study_names)]
Out = Annotated[Path, typer.Option(help="File or folder to write.")]
Storage = Annotated[str, typer.Option(envvar=STORAGE_VARIABLE, help=f"{STORAGE_HELP} [default: {STORAGE_DEFAULT}]")]
Artifacts = Annotated[
    str | None,
    typer.Option(help="Folder of the study's files, or an fsspec URL (s3://...). [default: next to the database]"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
MODEL_HELP = "Generator: a name of the catalog, package.module:function, or path/to/file.py:function."
Model = Annotated[str, typer.Option(help=MODEL_HELP)]
ModelArgs = Annotated[str | None, typer.Option(help="Arguments of the network: ngf=16,n_blocks=3. [default: its own]")]
ImageSize = Annotated[
    str | None,
    typer.Option(help="Image size of the network: pixels per side, or HEIGHTxWIDTH. [default: the catalog's]"),
]
InputShape = Annotated[
    str | None,
    typer.Option(
        help="Inputs of your own network: 3,256,256, latent:128, or several, image:3,64,64;mask:1,64,64. "
        "[default: the catalog's]"
    ),
]
OUTPUT_HELP = "Name or index of the output that counts, of a generator that returns several."
Output = Annotated[str, typer.Option(help=f"{OUTPUT_HELP} [default: the only one]")]


def check_png(option: str, path: Path | None) -> None:
    """Raise UserError if a picture's file has another suffix than PNG's."""
    if path is not None and path.suffix.lower() != ".png":
        raise UserError(f"{option} {path}: expected a name that ends in .png, because it is written as PNG")


def read_inputs(
    model: str, arguments: Mapping[str, Any], image_size: str | int | None, input_shape: str | None
) -> InputSpec:
    """Return a generator's inputs, from given options or from the catalog.

    Args:
        model: The generator.
        arguments: Arguments of its builder.
        image_size: Size for `read_image_size`; empty or 0: not given.
        input_shape: Text for `InputSpec.parse`.

    Raises:
        UserError: Both are given, or neither for a generator outside the catalog.
    """
    from ...gan_models.networks.catalog import NETWORKS
    from ...gan_models.networks.specs import InputSpec

    if input_shape and image_size:
        raise UserError(
            f"--input-shape {input_shape} says the size already: got --image-size {image_size} too; give one of them"
        )
    if input_shape:
        return InputSpec.parse(input_shape)
    size = read_image_size(image_size) if image_size else ()
    if model in NETWORKS:
        return NETWORKS[model].inputs_for(arguments).at_size(size)
    if size:
        return InputSpec.of_shape((3, *size))
    raise UserError(f"model {model!r} is not in the catalog: say what it takes, --input-shape 3,256,256")


def with_flags(flags: Iterable[Flag]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds flags to a command.

    The command's first parameter takes the given values by the flags' names; None or an empty list means "not given".
    Its other parameters are its own options.

    Args:
        flags: Flags in the order of the help.
    """
    flags = tuple(flags)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

        @wraps(command)
        def called(**given: Any) -> None:
            values = {flag.name: given.pop(flag.name) for flag in flags}
            command(values, **given)

        arguments = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        called.__signature__ = inspect.Signature([*map(_parameter, flags), *arguments])  # type: ignore[attr-defined]
        called.__annotations__ = {}
        del called.__wrapped__  # otherwise its signature is read instead
        return called

    return decorate


def _parameter(flag: Flag) -> inspect.Parameter:
    """Return a flag as a parameter that typer reads."""
    from ...search.configuration.sections import PANELS

    kind: Any = list[str] if flag.kind is list else flag.kind
    declared = typer.Option(
        flag.spelling, help=flag.help, show_default=False, rich_help_panel=PANELS.get(flag.table, OWN_PANEL)
    )
    return inspect.Parameter(
        flag.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, declared]
    )
