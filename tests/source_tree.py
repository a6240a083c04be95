"""The sources as the tests of the tree read them: the folders, what each may import, and what each file imports."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent

FOLDERS = ("gan_models", "evaluators", "spaces", "search", "studies")

ALLOWED = {
    "gan_models": set(),
    "evaluators": {"gan_models"},  # of it, files alone
    "spaces": {"gan_models"},
    "search": {"spaces", "evaluators", "gan_models"},
    "studies": {"search", "spaces", "evaluators", "gan_models"},
}

SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def imports_of(path: Path) -> set[tuple[str, ...]]:
    """Modules of ours that a file imports, as paths from the root; imports for type checkers count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                base = package[: len(package) - node.level + 1] + module
            elif module[:1] == ("ganprune",):
                base = module[1:]
            else:
                continue
            candidates = [(*base, alias.name) for alias in node.names]
            found |= {c if (ROOT.joinpath(*c)).with_suffix(".py").is_file() else base for c in candidates}
    return found
