"""A page in headless Chromium: its document after the page's script and a test's own have run."""

import re
import shutil
import subprocess
import tempfile
from html import unescape
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def browsed(path: Path, view: str = "", script: str = "", size: str = "1200,900") -> str:
    """Return the document of a file as text.

    Args:
        path: The page.
        view: Stands after # in the address.
        script: Is run at the end of the page, whose policy is taken out for it.
        size: Of the window.
    """
    if CHROMIUM is None:
        pytest.skip("needs Chromium, which is not installed")
    if script:
        text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text(encoding="utf-8"))
        path = path.with_name(f"scripted-{path.name}")
        path.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    with tempfile.TemporaryDirectory() as profile:
        options = ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}")
        budget = ("--virtual-time-budget=5000", f"--window-size={size}", "--dump-dom")
        address = f"{path.absolute().as_uri()}{'#' + view if view else ''}"
        done = subprocess.run([CHROMIUM, *options, *budget, address], capture_output=True, text=True, timeout=300)
    return done.stdout


def inside(document: str, name: str) -> str:
    """Return the markup from an element's start to the next element with an id."""
    found = re.search(rf'id="{name}"[^>]*>(.*?)(?=<[a-z]+[^>]* id="|</main>|$)', document, re.S)
    return found[1] if found else ""


def words(markup: str) -> str:
    """Return the text of markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split())
