import subprocess
import sys
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from ganprune.gan_models.files.plugin_packages import PluginPackage
from ganprune.search.execution import wheel as wheel_module
from ganprune.search.execution.wheel import build_wheel
from ganprune.search.records import messages as request


def test_the_wheel_is_this_very_ganprune(tmp_path):
    """Every file as it is imported here, no requirement for pip to fetch, and the same bytes each time."""
    wheel = build_wheel(tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("ganprune/search/records/messages.py") == Path(request.__file__).read_bytes()
        assert any(name.endswith(".safetensors") for name in archive.namelist())
        assert {f"ganprune/studies/report/page.{kind}" for kind in ("html.jinja", "js", "css")} <= {*archive.namelist()}
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
    code = "import ganprune, ganprune.search.records.messages as r; print(r.__file__, ganprune.prune.__name__)"
    there = {"PYTHONPATH": str(tmp_path / "there"), "PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True, env=there)
    messages = tmp_path / "there" / "ganprune" / "search" / "records" / "messages.py"
    assert done.stdout.split() == [str(messages), "prune"]


def test_workers_are_given_packages_that_add_rows(tmp_path):
    """Installed as Ray does it, the one wheel brings another package's rows; one with compiled parts is named instead."""
    there = tmp_path / "there"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", f"--target={there}"]
    subprocess.run([*install, build_wheel(tmp_path)], check=True, capture_output=True)
    code = (
        f"import sys; sys.path.insert(0, {str(there)!r})\n"
        "from ganprune.gan_models.costs.catalog import COSTS\n"
        "print(COSTS['feature_values'].price.__code__.co_filename)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True, cwd="/")
    assert done.stdout.startswith(str(there))


def test_a_package_with_compiled_parts_is_named_and_not_given(tmp_path, monkeypatch):
    """Its machine code may not run on a worker's machine, so the driver says to install it there."""
    (tmp_path / "fast_rows").mkdir()
    (tmp_path / "fast_rows" / "__init__.py").write_text("")
    (tmp_path / "fast_rows" / "core.so").write_bytes(b"")
    monkeypatch.syspath_prepend(tmp_path)
    package = PluginPackage("fast-rows", "2.0", (EntryPoint("fast", "fast_rows:FAST", "ganprune.methods"),))
    monkeypatch.setattr(wheel_module, "plugin_packages", lambda: (package,))
    with pytest.warns(UserWarning, match=r"package fast-rows 2\.0 has compiled parts.*install it on every machine"):
        wheel = build_wheel(tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if "fast_rows" in name]
