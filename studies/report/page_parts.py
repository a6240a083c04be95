"""Parts that all pages share: data that no name can turn into markup, and a policy that lets one script run."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ...gan_models.files.plain_values import to_json

TEMPLATE, STYLE, SCRIPT = "page.html.jinja", "page.css", "page.js"  # names in each page's folder


def island(data: Any) -> Markup:
    """Return a page's data as JSON in which no character can end the script element that it stands in.

    Args:
        data: A frozen value.
    """
    text = json.dumps(to_json(data), separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def policy(script: str, connect: str = "'none'", also: str = "") -> str:
    """Return a content security policy: this script, the page's own styles, pictures in the page.

    Args:
        script: The page's script.
        connect: Places that it may ask.
        also: Further sources of scripts.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'{also and ' '}{also}; style-src 'unsafe-inline'; "
        f"img-src data: blob:; connect-src {connect}; base-uri 'none'; form-action 'none'"
    )


def read_part(folder: Path, name: str) -> Markup:
    """Return a style or script as it stands in its folder."""
    return Markup((folder / name).read_text(encoding="utf-8"))


@cache
def template(folder: Path) -> Template:
    """Return a page's template; a name that it is not given is an error, and everything is escaped."""
    loader = FileSystemLoader(folder)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(TEMPLATE)
