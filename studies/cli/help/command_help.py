"""Help of one command: short with examples and the most common options, or complete by `--help-all`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

OWN_PANEL = "This command"
_KINDS = {"str": "text", "list[str]": "text", "int": "number", "float": "number", "path": "file", "list[Path]": "file"}
_HELP_ALL_KEY = "ganprune.whole_help"  # key of a context's notes: all options are requested
_KIND = re.compile(r"<(.*?)(?: range)?>$")


def help_command(examples: tuple[str, ...], common: tuple[str, ...]) -> type[TyperCommand]:
    """Return the class of a command with this help.

    Args:
        examples: Commands as typed, without `ganprune`.
        common: Names of the options that the short help shows, most common first; empty: it shows all.
    """

    class HelpCommand(TyperCommand):
        """A command with examples, and a short help if it has options other than common ones."""

        def format_options(self, ctx: Any, formatter: Any) -> None:
            """Write arguments, then the options: the common ones, or each panel with its common ones first."""
            whole = ctx.meta.get(_HELP_ALL_KEY, False) or not common
            visible = [one for one in self.get_params(ctx) if not getattr(one, "hidden", False)]
            shown = [one for one in visible if common or one.name != "help_all"]
            panels: dict[str, list[Any]] = {}
            for one in sorted(shown, key=lambda one: _rank(one, common)):
                if one.param_type_name == "argument":
                    panels.setdefault("Arguments", []).append(one)
                elif not whole and (one.name in common or one.name in ("help", "help_all")):
                    panels.setdefault("Common options", []).append(one)
                elif whole:
                    panels.setdefault(getattr(one, "rich_help_panel", None) or OWN_PANEL, []).append(one)
            titles = dict.fromkeys([*_in_order(self.get_params(ctx)), *panels])
            single = len(panels) - ("Arguments" in panels) == 1
            for title in titles:
                if title in panels:
                    heading = "Options" if single and title == OWN_PANEL else title
                    with formatter.section(heading):
                        formatter.write_dl([option_record(one, ctx) for one in panels[title]])
            left = len(shown) - sum(map(len, panels.values()))
            if left:
                formatter.write_paragraph()
                formatter.write_text(f"{left} more options: {ctx.command_path} --help-all")

        def format_help_text(self, ctx: Any, formatter: Any) -> None:
            """Write the command's text, and its examples."""
            super().format_help_text(ctx, formatter)
            if examples:
                with formatter.section("Examples"):
                    for example in examples:
                        formatter.write(f"{'':>{formatter.current_indent}}ganprune {example}\n")

    return HelpCommand


def _rank(one: Any, common: tuple[str, ...]) -> int:
    """Return the rank of an option in its panel: common ones first, help last."""
    if one.name in ("help", "help_all"):
        return len(common) + 1
    return common.index(one.name) if one.name in common else len(common)


def _in_order(parameters: list[Any]) -> list[str]:
    """Return the titles of all panels as they first occur: arguments, then the sections of a configuration."""
    titles = [
        "Arguments" if one.param_type_name == "argument" else getattr(one, "rich_help_panel", None) or OWN_PANEL
        for one in parameters
    ]
    return ["Arguments", *(title for title in titles if title != OWN_PANEL), OWN_PANEL]


def option_record(one: Any, ctx: Any) -> tuple[str, str]:
    """Return an option's names, and its help, which ends with its default or with `[required]`.

    Args:
        one: The option or argument.
        ctx: Context of its command.
    """
    names = str((one.get_help_record(ctx) or ("",))[0])
    names = _KIND.sub(lambda found: f"<{_KINDS.get(found[1], found[1])}>", names)
    text = inspect.cleandoc(one.help or "")
    if one.name in ("help", "help_all") or "[default: " in text or "[required]" in text:
        return names, text
    return names, f"{text} {_default(one)}".strip()


def _default(one: Any) -> str:
    """Return an option's default in brackets; empty if it has none that can be shown."""
    if one.required:
        return "[required]"
    if getattr(one, "is_flag", False):
        return f"[default: {'on' if one.default else 'off'}]"
    return "" if one.default in (None, "", [], ()) else f"[default: {one.default}]"


def _show_whole(ctx: typer.Context, wanted: bool) -> None:
    """Print the help with all options, and end."""
    if wanted and not ctx.resilient_parsing:
        ctx.meta[_HELP_ALL_KEY] = True
        typer.echo(ctx.get_help(), color=ctx.color)
        raise typer.Exit


HelpAll = Annotated[
    bool, typer.Option("--help-all", is_eager=True, callback=_show_whole, help="Show all options and exit.")
]


def with_help_all(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the additional option `--help-all`."""

    @wraps(command)
    def called(help_all: bool = False, **given: Any) -> None:
        command(**given)

    own = inspect.signature(command, eval_str=True)
    added = inspect.Parameter("help_all", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=HelpAll)
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own.parameters.values()]
    called.__signature__ = inspect.Signature([*parameters, added])  # type: ignore[attr-defined]
    called.__annotations__ = {}
    del called.__wrapped__  # otherwise its signature is read instead
    return called
