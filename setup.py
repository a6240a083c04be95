"""The build: `setup.cfg`, with the description that a package index shows.

A package index does not have the repository's files, so relative links of the README would lead nowhere there. With
`PROJECT_URL=https://host/owner/repository` in the environment they become absolute, and the address is in the metadata.
Without it they become plain text, and pictures are left out.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from setuptools import setup

LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#]*)(#[^)]*)?\)")


def index_description(readme: str, url: str) -> str:
    """Return the README with absolute links.

    Args:
        readme: Markdown with links relative to the repository's root.
        url: Address of the repository, without a slash at its end; empty: links become text, and pictures are left out.
    """

    def absolute(link: re.Match[str]) -> str:
        picture, text, path, heading = link[1], link[2], link[3], link[4] or ""
        if not url:
            return "" if picture else text
        return f"{picture}[{text}]({url}/{'raw' if picture else 'blob'}/main/{path}{heading})"

    return LINK.sub(absolute, readme)


def addresses(url: str) -> dict[str, str]:
    """Return the project's addresses by the names that package indexes know; none without a URL."""
    parts = {
        "Homepage": "",
        "Documentation": "/tree/main/docs",
        "Issues": "/issues",
        "Changelog": "/blob/main/CHANGELOG.md",
    }
    return {name: url + part for name, part in parts.items()} if url else {}


if __name__ == "__main__":
    project_url = os.environ.get("PROJECT_URL", "").rstrip("/")
    setup(
        long_description=index_description(
            Path(__file__).with_name("README.md").read_text(encoding="utf-8"), project_url
        ),
        project_urls=addresses(project_url),
    )
