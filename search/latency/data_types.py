"""The data types in which a runtime can be profiled, and the formats of its files in each."""

from __future__ import annotations

from collections.abc import Sequence

from ...evaluators.cost.catalog import RUNTIMES
from ...evaluators.cost.device import COMMAND
from ...gan_models.export.catalog import EXPORTERS, format_in, format_run_by
from ...gan_models.files.errors import UserError
from ...gan_models.files.texts.near_names import did_you_mean

FLOAT, HALF, INT8 = "float32", "float16", "int8"
DTYPES = (FLOAT, HALF, INT8)


def format_for(runtime: str, dtype: str) -> str | None:
    """Return the format of the files that a runtime is timed on in a data type; None if it has none.

    A format of that data type comes before float32 files that the runtime computes in it.
    """
    own = format_run_by(runtime, dtype)
    return format_run_by(runtime) if own is None and dtype in RUNTIMES.find(runtime).dtypes else own


def dtypes_of(runtime: str) -> tuple[str, ...]:
    """Return the data types in which a runtime runs generators here.

    Raises:
        UserError: There is no such runtime.
    """
    row = RUNTIMES.find(runtime)
    return tuple(
        dtype
        for dtype in DTYPES
        if (dtype in row.dtypes and row.takes == "network") or format_for(runtime, dtype) is not None
    )


def dtypes_behind(command: str) -> tuple[str, ...]:
    """Return the data types that a device behind a command can be profiled in: that of its files, then 8 bits.

    Raises:
        UserError: The command names no file.
    """
    name = format_in(command)
    if name is None:
        raise UserError(
            f"--device-command {command!r} names no file: got no format in braces; expected one of "
            f"{', '.join(f'{{{each}}}' for each in EXPORTERS.own)}. Try 'ssh phone bench {{onnx}}'"
        )
    exporter = EXPORTERS.find(name)
    has_int8 = format_run_by(exporter.runtime, INT8) is not None
    # A phone's own binary decides how it computes a float32 file; the user says so by --dtype.
    own = (FLOAT, HALF) if exporter.dtype == FLOAT else (exporter.dtype,)
    return tuple(dict.fromkeys((*own, *((INT8,) if has_int8 else ()))))


def chosen_dtypes(asked: Sequence[str], runtime: str, command: str = "") -> tuple[str, bool]:
    """Return the data type of a profile, and if whole networks are measured in 8 bits besides.

    Args:
        asked: Data types that a user named; none: float32, and int8 if the runtime has it.
        runtime: A row of the runtimes, or `command`.
        command: Template of a remote device's command.

    Raises:
        UserError: A data type that the runtime does not have, or two of a float.
    """
    there = dtypes_behind(command) if runtime == COMMAND else dtypes_of(runtime)
    if not asked:
        return there[0], INT8 in there and there[0] != INT8
    who = "the device behind --device-command" if runtime == COMMAND else f"runtime {runtime}"
    for dtype in asked:
        if dtype not in DTYPES:
            near = did_you_mean(dtype, DTYPES)
            raise UserError(
                f"--dtype is unknown: got {dtype!r}; expected one of {', '.join(DTYPES)}{'. ' if near else ''}{near}"
            )
        if dtype not in there:
            others = [name for name, row in RUNTIMES.usable() if row.runs_here and dtype in dtypes_of(name)]
            cure = f"--dtype {there[0]}" if runtime == COMMAND else f"--runtime {' or '.join(others)}"
            raise UserError(f"{who} has no {dtype}: got --dtype {dtype}; expected {' or '.join(there)}. Try {cure}")
    floats = [dtype for dtype in dict.fromkeys(asked) if dtype != INT8]
    if len(floats) > 1:
        raise UserError(
            f"--dtype names two floats: got {','.join(asked)}; expected one, and int8 if networks are measured in 8 "
            f"bits, too. Try --dtype {floats[0]},int8, and another profile for {floats[1]}"
        )
    return (floats or [INT8])[0], INT8 in asked and bool(floats)
