"""Help of every command, as a newcomer reads it: groups, examples, defaults; and errors of the parser."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from ganprune.gan_models.costs.catalog import shown_cost
from ganprune.gan_models.files.texts.near_names import did_you_mean
from ganprune.search.configuration.sections import PANELS
from ganprune.studies.cli import main
from ganprune.studies.cli.help.command_help import option_record
from ganprune.studies.cli.help.command_table import COMMANDS, GROUPS
from ganprune.studies.cli.help.completion import study_names, trial_references

from ...command_line import call, refused
from ...tiny_study import made


def built(name: str) -> tuple[Any, Any]:
    """A command with its context below that of the whole command line."""
    whole = typer.main.get_command(main.app)
    top = whole.make_context("ganprune", [name], resilient_parsing=True)
    command = whole.get_command(top, name)
    return command, command.context_class(command, info_name=name, parent=top)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_has_a_help_text_with_its_default(name):
    """Every option and argument says in one sentence what it is, then its default or that it is required."""
    command, ctx = built(name)
    for one in command.get_params(ctx):
        names, text = option_record(one, ctx)
        sentence, _, default = text.rpartition(" [") if one.name not in ("help", "help_all") else (text, "", "")
        assert len(sentence) > 5, names
        assert sentence[0].isupper(), f"{names}: {text}"
        assert sentence.endswith("."), f"{names}: {text}"
        if one.name not in ("help", "help_all"):
            assert default.startswith(("default: ", "required]")), f"{names}: {text}"
            assert default.endswith("]"), f"{names}: {text}"
            assert "[" not in default, f"{names}: {text}"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_each_command_are_read_by_it(name):
    """Both examples in the help have options and arguments that the command takes; the commonest options exist."""
    row = COMMANDS[name]
    command, ctx = built(name)
    assert row.group in GROUPS
    assert set(row.common) <= {one.name for one in command.get_params(ctx)}
    for example in row.examples:
        first, *rest = example.split()
        assert first == name
        command.make_context(name, rest, parent=ctx.parent)


def test_the_short_help_has_examples_and_names_the_long_one(monkeypatch, capsys):
    """`search -h` shows two examples and the commonest options; `--help-all` has them all in nine groups."""
    assert call(monkeypatch, "search", "-h") == 0
    short = capsys.readouterr().out
    assert short.count("  ganprune search ") == 2
    assert "--budget" in short
    assert "--rungs" not in short
    assert "more options: ganprune search --help-all" in short
    assert len(short.splitlines()) < 70
    assert call(monkeypatch, "search", "--help-all") == 0
    whole = capsys.readouterr().out
    titles = [line[:-1] for line in whole.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Examples", *PANELS.values(), "This command"]
    assert whole.index("--budget") < whole.index("--convention")
    assert "--rungs" in whole
    assert call(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("ganprune ")


def test_the_list_of_commands_has_five_groups(monkeypatch, capsys):
    """`ganprune -h` lists each command once, below one of five headings."""
    assert call(monkeypatch, "-h") == 0
    out = capsys.readouterr().out
    assert all(f"\n{group}:\n" in out for group in GROUPS)
    assert all(out.count(f"\n  {name} ") == 1 for name in COMMANDS)


BAD = {
    "unknown command": (["serach"], "unknown command 'serach'. Did you mean search?"),
    "unknown option": (["search", "--budgte", "25%"], "unknown option --budgte of `ganprune search`. Did you mean --budget?"),
    "text for a number": (["search", "--trials", "x"], "--trials is not possible: got 'x'; expected a whole number."),
    "missing argument": (["show"], "missing argument 'STUDY[:TRIAL]'. Try `ganprune show --help`"),
    "unknown choice": (["search", "--executor", "rai", "--model", "resnet", "--data", "x", "--budget", "5%"], "Did you mean ray?"),
    "unknown model": (["search", "--model", "resnt", "--data", "builtin:shapes", "--budget", "5%"], "Did you mean resnet?"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_errors_of_the_parser_are_one_line(case, monkeypatch, capsys):
    """One line has what was typed and a near name or the help to look into; the exit code is 2."""
    arguments, line = BAD[case]
    assert line in refused(monkeypatch, capsys, *arguments)


def test_near_names_are_found_in_any_case():
    """One mechanism proposes names; upper and lower case make no difference, and a far name is not proposed."""
    assert did_you_mean("RESNT", ["resnet", "unet"]) == "Did you mean resnet?"
    assert did_you_mean("zzz", ["resnet", "unet"]) == ""


INTERRUPTED = """
import os, signal, sys
sys.argv = ["ganprune", *{arguments!r}]
from ganprune.studies.cli import main
from ganprune.studies.cli.help.interruption import continued_by
import ganprune.studies.{module} as module
def interrupted(*given, **named):
    with continued_by({advice!r}) if {advice!r} else __import__("contextlib").nullcontext():
        os.kill(os.getpid(), signal.{signal})
        import time
        time.sleep(10)
module.{function} = interrupted
main.main()
"""


@pytest.mark.parametrize(
    ("arguments", "advice", "number", "line"),
    [
        (["studies"], "", "SIGINT", "interrupted; run the command again"),
        (["studies"], "", "SIGTERM", "interrupted; run the command again"),
        (["studies"], "`ganprune resume s` goes on", "SIGINT", "interrupted; `ganprune resume s` goes on"),
    ],
)
def test_ctrl_c_says_how_to_go_on(arguments, advice, number, line):
    """A real signal ends a command with one line and exit code 130; typer alone would end it without a word."""
    code = INTERRUPTED.format(
        arguments=arguments, advice=advice, signal=number, module="database.reader", function="list_studies"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell ignores it for background jobs
    )
    assert (done.returncode, done.stderr.strip()) == (128 + signal.SIGINT, line)


def test_the_database_of_the_environment_is_used(tmp_path, monkeypatch, capsys):
    """`GANPRUNE_STORAGE` stands for `--storage` in every command, and `--storage` wins."""
    monkeypatch.setenv("GANPRUNE_STORAGE", f"sqlite:///{tmp_path}/elsewhere.db")
    for arguments in (["show", "s"], ["resume", "s"], ["studies"]):
        assert "elsewhere.db" in refused(monkeypatch, capsys, *arguments)
    assert "named.db" in refused(monkeypatch, capsys, "show", "s", "--storage", f"sqlite:///{tmp_path}/named.db")
    assert "named.db" in refused(monkeypatch, capsys, "resume", "s", "--storage", f"sqlite:///{tmp_path}/named.db")


def test_completion_knows_commands_and_options():
    """The shell's completion proposes commands by their beginning, and the options of a command."""
    for words, there in (("ganprune sea", "search"), ("ganprune show --sto", "--storage")):
        env = os.environ | {
            "_GANPRUNE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))
        }  # fmt: skip
        code = "import sys; sys.argv = ['ganprune']\nfrom ganprune.studies.cli import main\nmain.main()"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
        assert there in done.stdout.split(), done.stderr


def completed(words: str, shell: str = "zsh") -> str:
    """The proposals of a shell's completion for a command line, by the functions that it calls."""
    env = os.environ | {"_GANPRUNE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": words}
    code = "import sys; sys.argv = ['ganprune']\nfrom ganprune.studies.cli import main\nmain.main()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False).stdout


def test_completion_knows_studies_and_trials(monkeypatch, tmp_path):
    """Proposals come from the command's database; without one nothing is proposed, and nothing is said."""
    url = f"sqlite:///{made().root.parent}/study.db"
    monkeypatch.setenv("GANPRUNE_STORAGE", url)
    ctx = SimpleNamespace(params={})
    assert study_names(ctx, "ti") == ["tiny"]
    assert study_names(ctx, "x") == []
    assert trial_references(ctx, "tiny:") == [f"tiny:{number}" for number in range(7)]
    assert trial_references(ctx, "tiny") == ["tiny", *(f"tiny:{number}" for number in range(7))]
    assert "tiny" in completed("ganprune resume ti")
    monkeypatch.setenv("GANPRUNE_STORAGE", "nonsense")
    assert study_names(ctx, "") == []
    assert study_names(SimpleNamespace(params={"storage": url}), "") == ["tiny"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["search", "--trials", "x"], "--trials is not possible: got 'x'; expected a whole number"),
        (["search", "--trials", "1.5"], "--trials is not possible: got '1.5'; expected a whole number"),
        (["search", "--hours", "x"], "--hours is not possible: got 'x'; expected a number"),
        (["inspect", "--model", "resnet", "--calibration-images", "x"], "got 'x'; expected a whole number"),
    ],
)
def test_a_text_in_the_place_of_a_number_is_told_in_plain_words(monkeypatch, capsys, arguments, expected):
    """One line, without the parser's own words."""
    assert expected in refused(monkeypatch, capsys, *arguments)


def test_a_database_that_the_environment_names_wrongly_is_told_so(monkeypatch, capsys):
    """The line names the variable, unless --storage was given."""
    monkeypatch.setenv("GANPRUNE_STORAGE", "mysql://somewhere/studies")
    named = "it is named by the environment variable GANPRUNE_STORAGE; --storage names another"
    assert named in refused(monkeypatch, capsys, "studies")
    assert "GANPRUNE_STORAGE" not in refused(monkeypatch, capsys, "studies", "--storage", "mysql://elsewhere/db")


def test_recorded_bytes_of_any_name_have_our_symbol():
    """A cost that no budget can be in is shown by its unit."""
    assert shown_cost("peak_activation_bytes", "bytes").show(9904.0) == "9.904 kB"
    assert shown_cost("energy", "mJ").show(9.5) == "9.5 mJ"
