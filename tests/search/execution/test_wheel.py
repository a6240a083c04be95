import subprocess
import sys
import zipfile
from pathlib import Path

from ganprune.search.execution.wheel import build_wheel
from ganprune.search.records import messages as request


def test_the_wheel_is_this_very_ganprune(tmp_path):
    """Every file as it is imported here, no requirement for pip to fetch, and the same bytes each time."""
    wheel = build_wheel(tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("ganprune/search/records/messages.py") == Path(request.__file__).read_bytes()
        assert any(name.endswith(".safetensors") for name in archive.namelist())
        assert "ganprune/studies/report/page.html.jinja" in archive.namelist()
        assert "ganprune/studies/bundles/card.md.jinja" in archive.namelist()
        metadata = next(name for name in archive.namelist() if name.endswith("METADATA"))
        assert b"Requires" not in archive.read(metadata)
    first = wheel.read_bytes()
    assert build_wheel(tmp_path).read_bytes() == first


def test_pip_installs_the_wheel(tmp_path):
    """As Ray does it for a worker: offline, into a folder, from where ganprune is then imported."""
    wheel = build_wheel(tmp_path)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", f"--target={tmp_path}/there", wheel]
    subprocess.run(install, check=True, capture_output=True)
    code = "import ganprune.search.records.messages as r; print(r.__file__)"
    there = {"PYTHONPATH": str(tmp_path / "there"), "PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=there)
    assert done.stdout.strip() == str(tmp_path / "there" / "ganprune" / "search" / "records" / "messages.py")
