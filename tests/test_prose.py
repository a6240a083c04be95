"""The prose of docstrings, messages and docs pages: first words, length of sentences, worn phrases, links to headings."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest
import typer
from ganprune.studies.cli.main import app
from typer.core import TyperCommand, TyperGroup, TyperOption

from .source_tree import FOLDERS, ROOT

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
}
MAX_MEAN_WORDS = 25  # per sentence of a page
QUESTION_WORDS = {"What", "Whether", "How", "Where", "Which", "Who", "Of", "When", "Why"}

# A regular expression of what is not written, and what is written instead. Code between backticks is not searched.
BANNED = {
    r"\beats?\b": "takes",
    r"\b(is|are|was) fed\b": "takes, receives",
    r"\bgo(es)? on\b": "continues",
    r"\bso (many|often)\b": "the number itself: `n`, at most n times",
    r"\b(whoever|somebody|anybody|everybody|nobody)\b": "the role: the user, the caller, the worker",
    r"\b(is|are) told\b": "receives",
    r"\btold (from|apart)\b": "distinguished from",
    r"(?<!there )\b(is|are) no (?!longer|more|less|better|worse|larger|smaller)": "is not a",
    r"\bstands? (beside|under)\b": "follows, is next to",
    r"\bbeside\b": "next to, in addition to, compared with",
    r"\bin the place of\b": "instead of",
    r"\bhand(s|ed)? back\b": "returned, interrupted",
    r"\bwhere there (is|are) (none|one|nothing)\b": "if there is none",
    r"\bbut for\b": "except",
    r"\bleft whole\b": "not pruned",
    r"\bforet(ell|old)\b": "predict",
    r"\bhears?\b|\bheard\b": "receives",
    r"\bat hand\b": "available",
    r"\bof one's own\b": "of your own",
    r"\bplainly\b": "clearly",
    r"\bwhatever\b": "any, for any",
    r"\bbeyond hope\b": "collapsed",
    r"\bas they are now\b": "the current rule",
    r"\bnothing was fitted to\b": "not used for any fit",
    r"\bby name and reason\b": "with the reason, by name",
    r"\bonce and for all\b": "always",
    r"\b(lie|lies) (in|below|beside|at|under)\b": "is in",
    r"\b(images|steps|plans|bytes|numbers|pixels|ms|seconds|latents?|scales?|trials?) a "
    r"(step|second|call|side|channel|group|trial|method|task|layer|weight|study|training)\b": "per",
    r"\bthose there are\b": "all",
    r"\bpaints?\b": "generates",
    r"\bspeaks? of\b": "describes",
    r"\bmends?\b": "fixes",
}

CODE_BLOCK = re.compile(r"^ *```.*?^ *```", flags=re.S | re.M)
ANY_BANNED = re.compile("|".join(f"(?:{phrase})" for phrase in BANNED), flags=re.I)


def sentences(page: str) -> list[str]:
    """Return the sentences of a page's paragraphs and lists, without code blocks, tables, headings and pictures."""
    lines = []
    for line in map(str.strip, CODE_BLOCK.sub("\n\n", page).splitlines()):
        item = re.match(r"(?:[*-]|\d+\.) (.*)", line)
        lines.append("" if line.startswith(("|", "#", "![", "<")) else f"\n{item[1]}" if item else line)
    found = []
    for block in re.split(r"\n\s*\n", "\n".join(lines)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(block.split()))
        parts = re.split(r"(?<=[.!?])[\"')*]*\s+(?=[A-Z\"'(*\d]|code)", re.sub(r"`[^`]*`", "code", text))
        found += [part for part in parts if re.search(r"\w", part)]
    return found


def mean_words(page: str) -> float:
    """Return the mean number of words per sentence."""
    counts = [len(sentence.split()) for sentence in sentences(page)]
    return sum(counts) / max(1, len(counts))


@cache
def docstrings(folder: str) -> dict[str, str]:
    """Return the docstring of each module, class and function of a folder by `file:line`."""
    found = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        nodes: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
        while nodes:  # statements alone: faster than `ast.walk`, which visits each expression
            node = nodes.pop()
            nodes += [child for child in getattr(node, "body", []) if hasattr(child, "body")]
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    found[f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"] = text
    return found


@cache
def texts(folder: str) -> dict[str, str]:
    """Return each text of three words or more in the code of a folder, no docstring: messages, notes, titles, help."""
    found = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        parts |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if id(node) in parts:
                continue
            text = ""
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            elif isinstance(node, ast.JoinedStr):
                text = "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            if len(text.split()) > 2:
                found[f"{path.relative_to(ROOT)}:{node.lineno}"] = text
    return found


def banned(text: str) -> list[str]:
    """Return each banned phrase of a text, with better words."""
    text = re.sub(r"`[^`\n]*`", "code", " ".join(text.split()))
    return [f"{found[0]!r}: write {_better(found[0])}" for found in ANY_BANNED.finditer(text)]


def _better(phrase: str) -> str:
    return next(better for each, better in BANNED.items() if re.match(each, phrase, flags=re.I))


def commands(command: TyperGroup | TyperCommand, name: str = "ganprune") -> Iterator[tuple[str, TyperCommand]]:
    """Yield each command of the command line that is not a group, by its full name."""
    if isinstance(command, TyperGroup):
        for child, each in command.commands.items():
            yield from commands(each, f"{name} {child}")
    else:
        yield name, command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("folder", [*FOLDERS, "ganprune", "benchmarks", "examples", "tests"])
def test_no_docstring_begins_with_a_question_word(folder: str):
    """Functions begin with a verb, classes and modules with the noun that they are."""
    found = [
        f"{place}: {text.splitlines()[0]}"
        for place, text in docstrings(folder).items()
        if text.split()[0].strip(",.:;") in QUESTION_WORDS
    ]
    assert found == []


@pytest.mark.parametrize("folder", [*FOLDERS, "benchmarks"])
def test_docstrings_use_plain_words(folder: str):
    """No docstring has a phrase for which there are better words."""
    assert [f"{place}: {phrase}" for place, text in docstrings(folder).items() for phrase in banned(text)] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_messages_use_plain_words(folder: str):
    """No error, note, title or help text has a phrase for which there are better words."""
    assert [f"{place}: {phrase}" for place, text in texts(folder).items() for phrase in banned(text)] == []


@pytest.mark.parametrize("page", sorted(PAGES))
def test_pages_use_plain_words(page: str):
    """No page has a phrase for which there are better words."""
    assert banned(CODE_BLOCK.sub("", PAGES[page])) == []


@pytest.mark.parametrize("page", sorted(PAGES))
def test_sentences_are_short(page: str):
    """A page has at most 25 words per sentence on average."""
    longest = max(sentences(PAGES[page]), key=lambda sentence: len(sentence.split()))
    assert mean_words(PAGES[page]) <= MAX_MEAN_WORDS, longest


def test_sentences_are_counted_without_tables_and_code():
    """Items of a list are sentences of their own; code is one word; a point within a number ends nothing."""
    page = (
        "# Title\n\nTwo words. Costs 2.5 GMACs\nin `a b`.\n\n| a | table |\n|---|---|\n\n* one\n* [two words](x.md)\n"
    )
    page += "\n```sh\nganprune doctor\n```\n"
    assert sentences(page) == ["Two words.", "Costs 2.5 GMACs in code.", "one", "two words"]
    assert mean_words(page) == 10 / 4


@pytest.mark.parametrize("page", PAGES)
def test_every_heading_that_is_linked_is_there(page: str):
    """`page.md#heading` names a heading of that page."""
    links = re.findall(r"\]\((?:https://\S+?/blob/main/)?([\w./-]*)#([\w-]+)\)", CODE_BLOCK.sub("", PAGES[page]))
    for file, heading in links:
        path = ROOT / page if not file else ROOT / file if (ROOT / file).is_file() else (ROOT / page).parent / file
        text = CODE_BLOCK.sub("", path.read_text(encoding="utf-8"))
        titles = re.findall(r"^#+ (.*)$", text, flags=re.M)
        slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert heading in slugs, f"{file}#{heading}"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_uses_plain_words(name: str):
    """The help of a command and of its options has no phrase for which there are better words."""
    command = COMMANDS[name]
    texts = [command.help or "", *(getattr(each, "help", None) or "" for each in command.params)]
    assert [phrase for text in texts for phrase in banned(text)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_shows_its_default(name: str):
    """An option says `[default: ...]` or `[required]` in the printed help; a flag that is off by default need not."""
    command = COMMANDS[name]
    for option in command.params:
        if isinstance(option, TyperOption) and option.name not in ("help", "help_all"):
            _, shown = option.get_help_record(typer.Context(command)) or ("", option.help or "")
            assert (option.is_flag and option.default is False) or re.search(r"\[(default|required)", shown), shown
