"""One HTML file that runs generators in a browser, from a disk as from a server; what is dropped on it stays there.

The page contains the generators' files, and onnxruntime-web if it is given. Otherwise the page asks a CDN for it, and
the browser refuses files of another hash. Its policy lets this script and that module run, and no other.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from pathlib import Path

from ...gan_models.files.atomic_files import write_file
from ..database.reader import StudyRecord
from ..report.page_parts import SCRIPT, STYLE, island, policy, read_part, template
from .page_data import WebPage
from .web_generators import WebFiles, web_files_of
from .web_runtime import ADDRESS, VERSION, read_runtime, web_files

GZIP_LEVEL = 6  # of gzip
RUNS = "'wasm-unsafe-eval' blob:"  # WebAssembly, and the runtime's module, which the script makes a blob of


def write_web_page(
    study: StudyRecord,
    artifacts_root: str | Path,
    path: str | Path,
    trials: Sequence[int] = (),
    runtime: str | Path | None = None,
) -> Path:
    """Write a page that runs the dense generator and pruned ones side by side.

    Args:
        study: The study's record.
        artifacts_root: Folder of all studies' artifacts.
        path: The page; its folder is made.
        trials: Numbers of the trials; the best of the front if there are none.
        runtime: onnxruntime-web as a package or folder, to be put into the page; None: the page loads it.

    Raises:
        NotExportable, UserError, ArtifactError, RuntimeError: As `web_files_of` and `read_runtime`.
    """
    own = {} if runtime is None else read_runtime(Path(runtime))
    return write_file(path, web_page(study.name, web_files_of(study, Path(artifacts_root), trials), own).encode())


def web_page(study: str, made: WebFiles, runtime: dict[str, bytes]) -> str:
    """Return the page.

    Args:
        study: The study's name.
        made: The generators.
        runtime: Files of the runtime by name; empty: the page loads them.
    """
    own = Path(__file__).parent
    style, script = read_part(own, STYLE), read_part(own, SCRIPT)
    files = {name: base64.b64encode(gzip.compress(content, GZIP_LEVEL, mtime=0)).decode() for name, content in
             {**runtime, **made.files}.items()}  # fmt: skip
    connect = "data: blob:" if runtime else f"data: blob: {ADDRESS}"
    return template(own).render(
        study=study,
        policy=policy(script, connect, RUNS),
        style=style,
        script=script,
        version=VERSION,
        address="" if runtime else ADDRESS,
        data=island(WebPage(study, VERSION, web_files(), made.networks)),
        files=files,
    )
