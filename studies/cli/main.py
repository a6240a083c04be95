"""The command line: `ganprune`. Imports no torch until a command needs it."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ...gan_models.export.lint.catalog import RUNTIME_RULES
from ...gan_models.files.errors import UserError, UserErrors, WorkFailed, errors_of
from ...gan_models.files.texts.number_text import counted
from ...search.configuration.flag_text import read_arguments
from ...search.execution.signals import terminated_like_ctrl_c
from ..run_options import STORAGE_VARIABLE
from . import options as opt
from .console import wide_console
from .help.command_table import COMMANDS, GROUPS, BuiltCommands
from .help.file_errors import file_error
from .help.interruption import CODE, RUN_AGAIN
from .help.parse_errors import UsageError, unknown_command, user_error


class LazyGroup(TyperGroup):
    """A group that builds only the options of the command that runs."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = BuiltCommands()

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands from their table, a block per group."""
        for group in GROUPS:
            with formatter.section(group):
                formatter.write_dl([(name, row.help) for name, row in COMMANDS.items() if row.group == group])
        formatter.write_paragraph()
        formatter.write_text("`ganprune COMMAND --help` shows a command's examples and commonest options.")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return a command by its name. Raises UserError with similar names if there is none."""
        if args[0] not in self.commands and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise unknown_command(args[0], list(self.commands))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C ends it with a line on what to do next, and exit code 130.

        Typer itself turns KeyboardInterrupt into a silent exit, before its caller sees it.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stopped:
            told = str(stopped) or COMMANDS[ctx.invoked_subcommand].interrupted
            print(f"interrupted; {told}", file=sys.stderr)
            raise typer.Exit(CODE) from stopped


app = typer.Typer(
    name="ganprune",
    cls=LazyGroup,
    help="AutoML search for pruned GAN generators: a budget in, a Pareto front of quality against cost out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    """Print the version, and end."""
    if wanted:
        from importlib.metadata import version

        print(f"ganprune {version('ganprune')}")
        raise typer.Exit


Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors. [default: off]")]
Version = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
]


@app.callback()
def top(debug: Debug = False, version: Version = False) -> None:
    """AutoML search for pruned GAN generators."""


def _print(value: Any) -> None:
    print(json.dumps(value, indent=1, allow_nan=False))


def studies(storage: opt.Storage = opt.DEFAULT_STORAGE, as_json: opt.Json = False) -> None:
    """List the studies of a database."""
    from collections import Counter

    from rich.table import Table

    from ..database.reader import list_studies
    from ..results.outcome import SIMULATED, outcome_of

    rows = []
    for record in list_studies(storage):
        states = Counter(trial.state for trial in record.trials)
        counts = ", ".join(f"{n} {state}" for state, n in sorted(states.items())) or "none"
        try:
            config = outcome_of(record).config
            said = {"model": config.model, "data": config.data, "budget": ", ".join(config.budgets)}
        except UserError as error:  # a study of a later version must not hide the others
            said = {"model": f"cannot be read here: {error}", "data": "", "budget": ""}
        simulated = bool(record.attributes.get(SIMULATED))
        row = {"study": record.name, **said, "trials": counts + " (simulated)" * simulated}
        rows.append(row | {"trials": counts, "simulated": simulated} if as_json else row)
    if as_json:
        _print(rows)
        return
    table = Table(*(rows[0] if rows else ["no studies"]))
    for row in rows:
        table.add_row(*map(str, row.values()))
    wide_console().print(table)


def inspect(
    model: opt.Model,
    model_args: opt.ModelArgs = None,
    image_size: opt.ImageSize = None,
    input_shape: opt.InputShape = None,
    output: opt.Output = "",
    channel_multiple: Annotated[int, typer.Option(help="Divisor of pruned widths.")] = 1,
    layers: Annotated[bool, typer.Option(help="Show a table of all layers.")] = True,
    method: Annotated[
        str | None, typer.Option(help="Pruning method whose settings are shown for this network. [default: none]")
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Cut the network to random plans, and compare outputs and costs with the uncut one."
        ),
    ] = False,
    runtime: Annotated[
        str | None,
        typer.Option(
            help=f"Runtime whose rules the network is looked at with: {', '.join(RUNTIME_RULES.own)}. [default: none]"
        ),
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="Data type of --runtime: float32, float16 or int8. [default: float32]")
    ] = None,
    sensitivity: Annotated[
        bool,
        typer.Option("--sensitivity", help="Measure how much quality each group is worth; needs --teacher and --data."),
    ] = False,
    teacher: Annotated[str, typer.Option(help="Weights of the network, for --sensitivity. [default: none]")] = "",
    data: Annotated[
        str, typer.Option(help="Folder of images or built-in set, for --sensitivity. [default: none]")
    ] = "",
    task: Annotated[
        str, typer.Option(help="Task of the data, for --sensitivity. [default: what the data's layout says]")
    ] = "",
    calibration_images: Annotated[
        int | None, typer.Option(min=4, help="Training inputs for --sensitivity, 4 or more. [default: 64]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="PNG file of the sensitivity. [default: none]")] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="PNG file of the network by groups: channels, MACs, parameters, with --sensitivity errors. "
            "[default: none]"
        ),
    ] = None,
    as_json: opt.Json = False,
) -> None:
    """Show a network's channel groups, MACs per layer, and cheapest plan."""
    from ...gan_models.files.meta_device import build_for_shapes
    from ...gan_models.groups.discovery import find_groups
    from ...gan_models.networks.catalog import build
    from ...search.configuration.recognized_teacher import PREFIX, with_recognized
    from ...search.setup.generator_checks import check_output
    from .inspection import check_json, checked_plans, inspection, method_inspection, print_inspection, print_method
    from .runtimes.runtime_findings import print_runtime, runtime_inspection

    given = {"teacher": teacher, "data": data, "task": task, "calibration-images": calibration_images, "out": out}
    if not sensitivity and (idle := [name for name, value in given.items() if value]):
        raise UserError(f"--{idle[0]} acts with --sensitivity alone: got no --sensitivity. Try adding it")
    opt.check_png("--plot", plot)
    if dtype and not runtime:
        raise UserError(f"--dtype is for --runtime: got --dtype {dtype} alone. Try --runtime litert")
    if runtime:
        RUNTIME_RULES.find(runtime)  # raises: says which there are
    arguments = read_arguments(model_args or "")
    if model.startswith(PREFIX):
        told = with_recognized({"model": model, "model_args": arguments, "input_shape": input_shape})
        model, arguments, input_shape = told["model"], told["model_args"], told["input_shape"]
    inputs = opt.read_inputs(model, arguments, image_size, input_shape)
    network = build_for_shapes(lambda: build(model, arguments, output))
    check_output(model, network, inputs)
    groups, checked = find_groups(network, inputs.examples()), None
    if check:
        checked = checked_plans(model, lambda: build(model, arguments, output), inputs, groups)
        groups = checked.groups
    found = inspection(network, groups, model, inputs, channel_multiple)
    if method:
        found["method"] = method_inspection(method, network, groups)
    if checked is not None:
        found["check"] = check_json(checked)
    if runtime:
        looked_at = runtime_inspection(runtime, dtype or "float32", lambda: build(model, arguments, output), inputs)
        found["runtime"] = looked_at
    measured = []
    if sensitivity:
        from ...gan_models.files.plain_values import to_json
        from .plans.sensitivity import IMAGES, draw_sensitivity, sensitivities

        options = {"model": model, "model_args": arguments, "teacher": teacher, "data": data}
        others = {"task": task, "image_size": image_size, "input_shape": input_shape, "output": output}
        options |= {name: value for name, value in others.items() if value}
        measured = sensitivities(options, calibration_images or IMAGES)
        found["sensitivity"] = to_json(measured)
        if out is not None:
            draw_sensitivity(measured, out)
    if plot is not None:
        from .plans.network_picture import draw_network

        draw_network(model, inputs, groups, measured, plot)
    if as_json:
        _print(found)
    else:
        print_inspection(found, wide_console(), layers)
        if measured:
            from .plans.sensitivity import print_sensitivity

            for one in measured:
                print_sensitivity(one, wide_console())
        for picture in filter(None, (out, plot)):
            print(f"picture: {picture}")
        if method:
            print_method(found["method"], wide_console())
        if runtime:
            print_runtime(found["runtime"], wide_console())


def demo(
    out: opt.Out = Path("demo"),
    trials: Annotated[int, typer.Option(help="Number of trials.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of data, teacher and trials.")] = 0,
    small: Annotated[
        bool, typer.Option(help="Take seconds instead of minutes; the pictures are of no use then.")
    ] = False,
) -> None:
    """Try everything on built-in images: teacher, search, front, pictures, export."""
    from .demo import run_demo

    run_demo(out, trials, seed, wide_console(), small)


def doctor(storage: opt.Storage = opt.DEFAULT_STORAGE, as_json: opt.Json = False) -> None:
    """Check this machine: packages, weights, devices, database, each with a cure."""
    from .doctor import as_json as plain
    from .doctor import examine

    findings = examine(storage)
    if as_json:
        _print(plain(findings))
        return
    for finding in findings:
        cure = f"\n     cure: {finding.cure}" if finding.cure else ""
        print(f"{'ok ' if finding.ok else '-- '} {finding.name}: {finding.found}{cure}")


def gc(
    name: opt.Name,
    weights: Annotated[
        bool,
        typer.Option(
            "--weights", help="Also remove weights of generators off the front, which cannot be exported then."
        ),
    ] = False,
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    artifacts: opt.Artifacts = None,
    as_json: opt.Json = False,
) -> None:
    """Remove training states of finished trials that are not on the front."""
    from ...search.engine.checkpoint_cleanup import clean
    from ..api import Study

    study = Study.open(name, storage, artifacts)
    done = clean(study.folder, study.trials, weights)
    if as_json:
        _print({"study": name, "trials": list(done.trials), "freed_bytes": done.freed})
    else:
        print(f"{done.freed / 1e6:.1f} MB of {counted(len(done.trials), 'trial')} off the front removed")


def delete(
    name: opt.Name,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    artifacts: opt.Artifacts = None,
) -> None:
    """Delete a study: its trials and its files."""
    from ..api import Study
    from ..database.store import delete_study

    study = Study.open(name, storage, artifacts)
    if not yes and not typer.confirm(f"remove study {name} with {counted(len(study.trials), 'trial')} and all files?"):
        raise typer.Exit(1)
    delete_study(storage, name, study.remote or study.artifacts)
    print(f"study {name} is gone")


def main() -> None:
    """Run the command line: exit code 0 done, 1 the work failed, 2 the input was wrong, 130 interrupted."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    sys.exit(_guarded(lambda: app(arguments, prog_name="ganprune", standalone_mode=False), debug))


@contextmanager
def _told_once() -> Iterator[None]:
    """Print ganprune's warnings as one line each, without source line, and each only once."""
    root, told = Path(__file__).resolve().parents[2], set[str]()
    ours = tuple(f"{root / name}/" for name in ("search", "spaces", "evaluators", "gan_models", "studies"))
    usual = warnings.showwarning

    def tell(message: Warning | str, category: type[Warning], filename: str, *rest: Any) -> None:
        if not str(Path(filename).resolve()).startswith(ours):
            usual(message, category, filename, *rest)
        elif str(message) not in told:
            told.add(str(message))
            print(f"note: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = tell
        yield


def _guarded(call: Callable[[], Any], debug: bool) -> int:
    """Return a call's exit code, after one line about each error: 2 the user's input, 1 anything else.

    An error that names neither the user's input nor the environment is a bug in ganprune, and is reported as one.
    """
    try:
        with _told_once(), terminated_like_ctrl_c():
            code = call()
    except KeyboardInterrupt:  # before the command began
        print(f"interrupted; {RUN_AGAIN}", file=sys.stderr)
        return CODE
    except typer.Abort:  # a question without an answer
        print("interrupted; nothing was done", file=sys.stderr)
        return 1
    except UsageError as error:
        if str(error).startswith("Usage: "):  # no arguments: typer's error is the help
            print(error, file=sys.stderr)
        else:
            print(f"error: {user_error(error)}", file=sys.stderr)
        return 2
    except Exception as raised:
        if debug:
            raise
        error = _blamed(raised)
        if isinstance(error, UserErrors):
            for one in errors_of(error):
                print(f"error: {' '.join(str(one).split())}", file=sys.stderr)
            return 2
        if isinstance(error, OSError):
            error = file_error(error, sys.argv[1:])
        text = " ".join(str(error).split())
        if not isinstance(error, UserError | WorkFailed) and not _of_surroundings(error):
            text = (
                f"this is a bug in ganprune, not in your input: {type(error).__name__}: {text}. "
                "Run the command again with --debug and report the traceback"
            )
        print(f"error: {text}{_of_variable(error)}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1
    return code if isinstance(code, int) else 0


def _of_variable(error: Exception) -> str:
    """Return that a database that cannot be used was named by the environment variable, if it was."""
    given = {argument.partition("=")[0] for argument in sys.argv} & {"--storage", "--config"}  # a file may name one
    of_database = type(error).__name__ in ("StorageError", "WrongStorage")  # by name: they import the database
    if given or not of_database or not os.environ.get(STORAGE_VARIABLE):
        return ""
    return f" (it is named by the environment variable {STORAGE_VARIABLE}; --storage names another)"


def _blamed(error: Exception) -> Exception:
    """Return an error as the failure of the user's own code, if it came through that; else the error."""
    if isinstance(error, UserError | WorkFailed):
        return error
    from ...gan_models.files.user_code import blamed

    found = blamed(error)
    return error if found is None else WorkFailed(f"{found}. Run the command again with --debug for its traceback")


def _of_surroundings(error: Exception) -> bool:
    """Return True if an error of another library reports a failure of memory, the network or the database.

    Errors are compared by name, so that no library is imported for it.
    """
    known = {"sqlalchemy.exc.DBAPIError", "optuna.exceptions.StorageInternalError", "torch.OutOfMemoryError"}
    classes = {f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__}
    return isinstance(error, MemoryError) or bool(classes & known)
