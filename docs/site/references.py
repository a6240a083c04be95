"""Reference pages of the documentation, generated from the code: commands, configuration, catalogs, Python."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import ganprune
import typer
from ganprune.gan_models.files.open_table import OpenTable
from ganprune.search.configuration.flags import flags_of
from ganprune.search.configuration.option import options_of
from ganprune.search.configuration.sections import SECTIONS
from ganprune.studies.cli.help.command_help import option_record
from ganprune.studies.cli.help.command_table import COMMANDS, GROUPS
from ganprune.studies.cli.main import app

# Module of `catalog.py`, name of the open table, and what its rows are.
CATALOGS = (
    ("gan_models.networks", "NETWORKS", "generators"),
    ("gan_models.networks", "DISCRIMINATORS", "discriminators"),
    ("gan_models.tasks", "TASKS", "tasks"),
    ("gan_models.data.degradation", "DEGRADATIONS", "degradations"),
    ("gan_models.pruning", "METHODS", "pruning methods"),
    ("gan_models.distillation", "TERMS", "terms of distillation"),
    ("gan_models.costs", "COSTS", "costs"),
    ("evaluators.quality", "METRICS", "metrics"),
    ("evaluators.features", "ENCODERS", "encoders"),
    ("evaluators.cost", "RUNTIMES", "runtimes"),
    ("gan_models.export", "EXPORTERS", "export formats"),
    ("gan_models.export.rewrites", "REWRITES", "rewrites of exported graphs"),
    ("gan_models.export.lint", "RUNTIME_RULES", "rules of runtimes"),
    ("search.samplers", "SAMPLERS", "samplers"),
    ("search.preparations", "PREPARATIONS", "preparations"),
    ("studies.integrations.trackers", "TRACKERS", "trackers"),
    ("studies.bench", "CONTENDERS", "contenders of benchmarks"),
    ("search.configuration.presets", "PRESETS", "presets"),
    ("studies.scoreboard", "RESULT_FILES", "files of published results"),
)


def commands() -> str:
    """Return the page of all commands with every argument and option."""
    root = typer.main.get_command(app)
    lines = ["# Commands", "", "All commands with every option, as `ganprune COMMAND --help-all` shows them.", ""]
    context = typer.Context(root, info_name="ganprune")
    for group in GROUPS:
        lines += [f"## {group}", ""]
        for name, command in root.commands.items():
            row = COMMANDS[name]
            if row.group != group:
                continue
            inner = typer.Context(command, info_name=name, parent=context)
            lines += [f"### ganprune {name}", "", " ".join((command.help or "").split()), ""]
            if row.examples:
                lines += ["```sh", *(f"ganprune {example}" for example in row.examples), "```", ""]
            lines += ["| option | meaning |", "|---|---|"]
            for parameter in command.get_params(inner):
                if not getattr(parameter, "hidden", False):
                    option, text = option_record(parameter, inner)
                    lines.append(f"| {_code(option)} | {_cell(text)} |")
            lines.append("")
    return "\n".join(lines)


def configuration() -> str:
    """Return the page of all fields of a search's configuration, by table of the file."""
    lines = ["# Fields of the configuration", ""]
    lines += ["Every field of a file for `--config`, and of `options` in Python. A field without a flag is reached by "]
    lines[-1] += "`--set TABLE.FIELD=VALUE`. The file itself is described under [Configuration](../configuration.md)."
    for table, section in SECTIONS.items():
        flags: dict[str, list[Any]] = {}
        for flag in flags_of(table, section):
            flags.setdefault(flag.paths[0][0], []).append(flag)
        lines += ["", f"## [{table}]", "", "| field | flag | meaning |", "|---|---|---|"]
        for name, declared in options_of(section).items():
            if declared.internal:
                continue
            own = [] if declared.hidden else flags.get(name, [])[:1]
            lines.append(f"| {_code(name)} | {_code(own[0].spelling) if own else ''} | {_cell(_help(own, declared))} |")
            for shortcut in flags.get(name, [])[len(own) :]:
                path = ".".join(shortcut.paths[0])
                lines.append(f"| {_code(path)} | {_code(shortcut.spelling)} | {_cell(shortcut.help)} |")
    return "\n".join(lines) + "\n"


def catalogs() -> str:
    """Return the page of all open tables with ganprune's own rows."""
    lines = ["# Catalogs", ""]
    lines += [
        "Everything that is chosen by name. Packages add rows by the entry-point group of a table, and most tables "
    ]
    lines[-1] += "accept an object of your own by path ([extending](../extending.md))."
    for table, title in tables():
        rows = table.own
        lines += ["", f"## {title.capitalize()}", "", f"Entry points: `{table.group}`", ""]
        lines += ["| name | description |", "|---|---|"]
        lines += [f"| {_code(name)} | {_cell(_described(row))} |" for name, row in rows.items()]
    return "\n".join(lines) + "\n"


def tables() -> Iterator[tuple[OpenTable[Any], str]]:
    """Yield each open table with the plural of its rows."""
    for folder, name, title in CATALOGS:
        yield getattr(import_module(f"ganprune.{folder}.catalog"), name), title


def python() -> str:
    """Return the page of the package's public names, with signatures and docstrings."""
    lines = ["# Python", "", "The names of the package `ganprune`. `import ganprune` loads neither Ray nor Optuna."]
    for name in ganprune.__all__:
        if name.startswith("_"):
            continue
        thing = getattr(ganprune, name)
        is_error = inspect.isclass(thing) and issubclass(thing, Exception)
        lines += ["", f"## ganprune.{name}", "", *([] if is_error else _signature(name, thing)), *_docstring(thing)]
        if inspect.isclass(thing) and not is_error:
            for method, value in vars(thing).items():
                function = getattr(value, "__func__", getattr(value, "fget", value))
                if not method.startswith("_") and callable(function) and function.__doc__:
                    lines += ["", f"### {name}.{method}", ""]
                    if not isinstance(value, property):
                        lines += _signature(f"{name}.{method}", function)
                    lines += _docstring(function)
    return "\n".join(lines) + "\n"


PAGES: Mapping[str, Any] = {
    "reference/commands.md": commands,
    "reference/configuration.md": configuration,
    "reference/catalogs.md": catalogs,
    "reference/python.md": python,
}


def _signature(name: str, thing: Any) -> list[str]:
    """Return a code block of the signature, one parameter per line if it is long."""
    text = str(inspect.signature(thing)).replace("'", "")
    text = re.sub(r"<(\w+)\.(\w+): [^>]*>", r"\1.\2", text)
    if len(name + text) > 90:
        inside, _, result = text.rpartition(")")
        parts = _split(inside[1:])
        text = "(\n" + "".join(f"    {part},\n" for part in parts) + ")" + result
    return ["```python", f"{name}{text}", "```", ""]


def _split(text: str) -> list[str]:
    """Return the parts of a text between commas outside of brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _docstring(thing: Any) -> list[str]:
    """Return a Google docstring in Markdown: sections as bold words, their entries as lists."""
    lines, listed = [], False
    for line in inspect.cleandoc(thing.__doc__ or "").splitlines():
        if re.fullmatch(r"(Args|Attributes|Returns|Raises|Yields):", line):
            lines += ["", f"**{line[:-1]}**", ""]
            listed = True
        elif not line.startswith(" ") and line:
            listed = False
            lines.append(line)
        elif listed and (entry := re.fullmatch(r"    (\*{0,2}[\w, ]+): (.*)", line)):
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        elif listed and line.startswith("        "):
            lines.append(f"  {line.strip()}")
        else:
            lines.append(line.strip() if listed else line)
    return lines


def _described(row: Any) -> str:
    """Return a row's own note or title, or the first sentence of what it names."""
    for attribute in ("note", "title", "label"):
        if text := getattr(row, attribute, ""):
            return str(text)
    for attribute in ("implementation", "builder", "make", "where"):
        place = getattr(row, attribute, None)
        if callable(place):
            return first_sentence(place)
        if isinstance(place, str) and ":" in place:
            module, _, name = place.rpartition(":")
            package = type(row).__module__.rpartition(".")[0] if module.startswith(".") else None
            fixed = ", ".join(f"{key}={value}" for key, value in getattr(row, "fixed", {}).items())
            sentence = first_sentence(getattr(import_module(module, package), name))
            return f"{sentence} Fixed: {fixed}." if fixed else sentence
    options = getattr(row, "options", None)
    return ", ".join(f"{name} = {value}" for name, value in options.items()) if options else ""


def first_sentence(thing: Any) -> str:
    """Return the first sentence of an object's docstring."""
    text = " ".join(inspect.cleandoc(inspect.unwrap(thing).__doc__ or "").split("\n\n")[0].split())
    return re.split(r"(?<=[.]) ", text)[0]


def _help(own: list[Any], declared: Any) -> str:
    """Return a field's sentence with its default."""
    return own[0].help if own else f"{declared.help}{f' [default: {declared.default}]' if declared.default else ''}"


def _code(text: str) -> str:
    """Return a text as inline code in a cell of a table."""
    return f"`{text}`".replace("|", "\\|") if text else ""


def _cell(text: str) -> str:
    """Return a text that stands in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
