"""Options that several commands share, as typer annotations, and how text becomes values. Imports no torch."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from ...gan_models.files.errors import UserError
from ...gan_models.networks.catalog import NETWORKS, parse_input_shape

DEFAULT_STORAGE = "sqlite:///ganprune.db"

Name = Annotated[str, typer.Argument(help="The study's name.")]
Out = Annotated[Path, typer.Option(help="Where to write.")]
Storage = Annotated[str, typer.Option(help="Database: sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.")]
Artifacts = Annotated[
    str | None, typer.Option(help="Folder of weights, or an fsspec URL (s3://...); default: beside the database.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
MODEL_HELP = "Catalog name, package.module:function, or path/to/file.py:function."
Model = Annotated[str, typer.Option(help=MODEL_HELP)]
ModelArgs = Annotated[str | None, typer.Option(help="Arguments of the builder: ngf=16,n_blocks=3.")]
ImageSize = Annotated[int | None, typer.Option(help="Pixels a side of what the networks see.")]
InputShape = Annotated[str | None, typer.Option(help="What an own generator eats: 3,256,256 or latent:128.")]
DSteps = Annotated[int | None, typer.Option(help="Discriminator steps a generator step; SNGAN takes 5.")]
Trials = Annotated[int | None, typer.Option(help="Total number of trials of the study.")]
Hours = Annotated[float | None, typer.Option(help="End cleanly after so many hours.")]
CpusPerTrial = Annotated[int, typer.Option(help="CPUs and threads of one trial.")]
GpusPerTrial = Annotated[
    float | None,
    typer.Option(help="GPUs of one trial: 0.5 puts two on one, 0 hides them; default: one if any."),
]
MaxConcurrent = Annotated[int | None, typer.Option(help="Most trials at once.")]
ExecutorName = Annotated[str, typer.Option(help="ray, or local: one after another in this process.")]
RayAddress = Annotated[str, typer.Option(help="local, or the address of a running cluster.")]
MaxAttempts = Annotated[int, typer.Option(help="A trial that was started so often without an end fails.")]
DiskQuota = Annotated[str | None, typer.Option(help="Most that the study's files may take, such as 20GB.")]
DeviceCommand = Annotated[
    str,
    typer.Option(
        help="Command that runs {onnx} on a remote device and prints JSON with median_ms: 'ssh phone bench {onnx}'."
    ),
]
LatencyProfile = Annotated[
    str, typer.Option(help="For budgets in ms: a profile's id or file; default: this machine's own.")
]
Insecure = Annotated[bool, typer.Option(help="Join a Ray cluster that asks for no token.")]


def read_toml(path: Path) -> dict[str, Any]:
    """Options of a search from a TOML file; dashes in names may be underscores.

    Raises:
        ValueError: No such file, or not TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read the configuration {path}: {error.strerror or error}") from error
    try:
        return {name.replace("-", "_"): value for name, value in tomllib.loads(text).items()}
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not TOML: {error}") from error


def defaults_from_file(context: typer.Context, path: Path | None) -> Path | None:
    """Makes a TOML file's values the defaults of a command's options; a table or list may stand for `a=1,b=2`.

    Raises:
        ValueError: The file cannot be read, or holds what is no option of the command.
    """
    if path is None:
        return None
    options = {option.name: option for option in context.command.params}
    defaults: dict[str, Any] = {}
    for name, value in read_toml(path).items():
        if name not in options:
            allowed = ", ".join(sorted(option.replace("_", "-") for option in options if option))
            raise UserError(f"{path}: unknown option {name!r}; allowed are {allowed}")
        if isinstance(value, dict):
            value = ",".join(f"{key}={json.dumps(item)}" for key, item in value.items()).replace('"', "")
        elif isinstance(value, list) and not getattr(options[name], "multiple", False):
            value = ",".join(map(str, value))
        elif not isinstance(value, list) and getattr(options[name], "multiple", False):
            value = [value]
        defaults[name] = value
    context.default_map = defaults
    return path


def read_arguments(text: str | None) -> dict[str, Any]:
    """`ngf=16,norm=batch,dropout=true` -> values; numbers, true, false and null are read as such.

    Raises:
        ValueError: A part without `=`.
    """
    values: dict[str, Any] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise UserError(f"{part!r} is not NAME=VALUE; write for example ngf=16,n_blocks=3")
        try:
            values[name.strip()] = json.loads(value.strip().lower())
        except json.JSONDecodeError:
            values[name.strip()] = value.strip()
    return values


def read_shape(model: str, image_size: int | None, input_shape: str | None) -> tuple[int, ...]:
    """Shape of one input, from the catalog or from what was given.

    Raises:
        ValueError: A generator that is not in the catalog, and nothing says what it eats.
    """
    if input_shape:
        return parse_input_shape(input_shape)
    if model in NETWORKS:
        shape = NETWORKS[model].input_shape
        return (shape[0], image_size, image_size) if image_size and len(shape) == 3 else shape
    if image_size:
        return (3, image_size, image_size)
    raise UserError(f"model {model!r} is not in the catalog: say what it eats, --input-shape 3,256,256")


def read_list(text: str | None) -> list[str] | None:
    """`a,b` -> ["a", "b"]; None stays None."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def read_shares(text: str | None) -> dict[str, float] | None:
    """`widths=0.5,magnitude=0.3` -> shares of trials.

    Raises:
        ValueError: A share that is no number.
    """
    if text is None:
        return None
    shares = read_arguments(text)
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | float):
            raise UserError(f"--share {name}={share!r} is no number; write for example widths=0.5")
    return shares


def read_health(text: str | None) -> dict[str, Any] | None:
    """`checks=8,diversity=0.05` -> settings of the health watch; `off` -> no look at all."""
    if text is None:
        return None
    return {"checks": 0} if text.strip().lower() == "off" else read_arguments(text)


def nested(given: dict[str, Any], field: str, **values: Any) -> None:
    """Puts options that belong to one setting of the configuration (a recipe) there; those not given stay out."""
    kept = {name: value for name, value in values.items() if value is not None}
    if kept:
        given[field] = {**given.get(field, {}), **kept}
