"""Hooks of mkdocs: the start page from the README, the changelog, and the generated references."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))  # mkdocs takes it away once this module is loaded
from references import PAGES

ROOT = Path(__file__).resolve().parents[2]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and the style that are not files of docs/."""
    pages = {"index.md": from_top("README.md"), "changelog.md": from_top("CHANGELOG.md")}
    pages |= {name: make() for name, make in PAGES.items()}
    pages["style.css"] = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def from_top(name: str) -> str:
    """Return a page of the repository's top folder with its links as seen from docs/."""
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"\]\(docs/", "](", text).replace("](CHANGELOG.md)", "](changelog.md)")
    return re.sub(r"\[([^\]]+)\]\((?:examples/|LICENSE)[^)]*\)", r"`\1`", text)  # files outside of the site


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return a page with its links to the changelog as seen from the site."""
    return markdown.replace("](../CHANGELOG.md)", "](changelog.md)").replace("](../README.md)", "](index.md)")
