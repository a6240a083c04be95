"""The README and the pages under docs/ tell the truth: commands run, files exist, numbers are those of the code."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from ganprune.gan_models.networks.catalog import build
from ganprune.studies.cli.main import app
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from .command_server import CommandServer

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {page.name: page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))}
TOPS = ("benchmarks", "evaluators", "gan_models", "search", "ganprune", "spaces", "studies", "tests")
# Documented small sizes: what makes the commands finish in seconds. Nothing else of them is changed.
SMALL = {
    "search": "--n-train 120 --n-test 20 --trials 2 --teacher-steps 2 --prune-steps 2 --finetune-steps 2 --batch-size 2 --executor local --metric shapes",
    "forecast": "--costs 1 --evaluations 2 --calibration-images 4 --finetune-steps 2 --prune-steps 2 --teacher-steps 2 "
    "--batch-size 2 --executor local --metric shapes",
    "resume": "--trials 3 --executor local",
    "bench": "--teacher-steps 2 --prune-steps 0 --finetune-steps 1 --batch-size 2 --metric shapes --seeds 1",
    "train": "--steps 2 --batch-size 2",
    "profile-device": "--points 2 --networks 6 --seconds 0.01 --allow-busy",  # tests run beside each other
}


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.S | re.M)


def commands(text: str = README) -> list[list[str]]:
    return [shlex.split(line) for block in blocks("sh", text) for line in block.splitlines() if line.strip()]


SCRIPTS = {name: blocks("bash", text) for name, text in PAGES.items() if blocks("bash", text)}  # for other machines


SMALL_TEACHER = {"ngf": 8, "n_blocks": 2}
FIRST = "start.md"  # whose studies, bundles and files the other pages use
WITH_COMMANDS = [
    name for name, text in PAGES.items() if name != FIRST and any(c[0] == "ganprune" for c in commands(text))
]


def links(text: str) -> list[str]:
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)  # code may call what it finds at an index
    return re.findall(r"\]\((?!http)([^)#]+)\)", prose)


def test_every_make_target_named_is_there():
    """`make NAME` of the README and the pages is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    text = "\n".join([README, *PAGES.values()])
    named = {word for command in commands(text) if command[0] == "make" for word in command[1:]}
    named |= {word for words in re.findall(r"`make ([a-z ]+)`", text) for word in words.split()}
    assert {"demo", "test", "compare", "torture"} <= named <= targets


def test_every_file_named_is_there():
    """Links and pictures point to files of the repository, and every page is reached from the README."""
    for target in links(README):
        assert (ROOT / target).is_file(), target
    for name, text in PAGES.items():
        for target in links(text):
            assert (ROOT / "docs" / target).is_file(), f"{name}: {target}"
    assert {f"docs/{name}" for name in PAGES} <= set(links(README))


def test_pictures_of_the_gallery_are_small():
    """Each is below 100 kB and shown once."""
    shown = [target for target in links(PAGES["gallery.md"]) if target.startswith("gallery/")]
    there = sorted(path.name for path in (ROOT / "docs" / "gallery").iterdir())
    assert sorted(shown) == [f"gallery/{name}" for name in there]
    assert all((ROOT / "docs" / target).stat().st_size < 100_000 for target in shown)


def test_every_module_named_is_there():
    """Python files named by the pages stand in the repository, but for those that a reader or ganprune writes."""
    text = "\n".join([README, *PAGES.values()])
    named = {name for code in re.findall(r"`([^`\n]+)`", text) for name in re.findall(r"(?<![\w/>])[\w/]+\.py\b", code)}
    there = {f"/{p.relative_to(ROOT).as_posix()}" for top in TOPS for p in (ROOT / top).rglob("*.py")}
    missing = {name for name in named if not any(path.endswith(f"/{name}") for path in there)}
    readers = {
        "edges.py",
        "seg.py",
        "file.py",
        "mine.py",
        "my_data.py",
        "my_metric.py",
        "proj/models/generator.py",
        "setup.py",
    }
    assert missing == readers | {"1a2b3c4d.py", "source.py"}  # copies in studies and bundles


def run_commands(text: str, folder: Path, server: CommandServer) -> list[str]:
    """Runs the ganprune commands of a page in their order, at small sizes, each exit 0; their names."""
    ran = []
    for command in commands(text):
        if command[0] != "ganprune":
            continue
        small = "" if "--from-csv" in command else SMALL.get(command[1], "")  # which runs nothing
        arguments = [*command[1:], *small.split()]
        # images of 32 stay: SNGAN has no smaller ones
        if {"64", "256"} & set(arguments) or (
            command[1] in ("search", "train", "forecast") and "--image-size" not in arguments
        ):
            arguments += ["--image-size", "16"]
        if "latest_net_G.pth" in arguments:
            arguments += ["--model-args", ",".join(f"{name}={value}" for name, value in SMALL_TEACHER.items())]
        if "own.py:generator" in arguments and command[1] == "search":
            arguments[arguments.index("--input-shape") + 1] = "3,16,16"
        done = server.run(arguments, folder)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        ran.append(command[1])
    return ran


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make the folder in which the commands run: folders of pairs, photos and CycleGAN's layout, weights, the README's own generator."""
    root, rng = tmp_path_factory.mktemp("readme"), np.random.default_rng(0)
    sizes = {f"pairs/{split}": (16, 32, 3) for split in ("train", "val", "test")}
    sizes |= {f"photos/{split}": (64, 72, 3) for split in ("train", "test")}
    sizes |= {f"horse2zebra/{split}": (16, 16, 3) for split in ("trainA", "trainB", "testA", "testB")}
    for name, size in sizes.items():
        (root / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 255, size, dtype=np.uint8)).save(root / name / f"{i}.png")
    save_file(build("srvgg_compact").state_dict(), root / "realesr-animevideov3-x4.safetensors")
    torch.save(build("resnet_9blocks", SMALL_TEACHER).state_dict(), root / "latest_net_G.pth")
    own = next(block for block in blocks("python", PAGES[FIRST]) if block.startswith("# own.py"))
    (root / "own.py").write_text(own)
    (root / "search.toml").write_text(blocks("toml", PAGES["configuration.md"])[0])
    return root


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Runs commands, each in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160"}
    with CommandServer(environment, tmp_path_factory.mktemp("printed")) as server:
        yield server


@pytest.fixture(scope="module")
def ran(folder, server):
    """The commands of the first page, run; those of the other pages continue from there."""
    return set(run_commands(PAGES[FIRST], folder, server))


def test_every_command_of_the_readme_runs(folder, server):
    """The README's ganprune commands, in their order, at small sizes, each exit 0."""
    assert run_commands(README, folder, server) == ["search", "pareto", "export"]


@pytest.mark.long
def test_every_command_of_the_first_page_runs(ran):
    """The same of "Getting started"."""
    assert ran >= {"search", "resume", "pareto", "report", "export", "verify", "run", "train", "inspect"}


@pytest.mark.long
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_every_command_of_the_pages_runs(ran, folder, server, page: str):
    """The same of every other page under docs/, after the first page's in the same folder."""
    assert run_commands(PAGES[page], folder, server)


def test_a_wrong_command_has_its_own_exit_code_and_lines(server, tmp_path):
    """A page with one fails, and the next command is not touched by it."""
    wrong = server.run(["search", "--model", "resnet", "--data", "nowhere", "--budget", "25%"], tmp_path)
    assert wrong.returncode == 2
    assert "nowhere" in wrong.stderr
    assert server.run(["inspect", "--model", "resnet", "--image-size", "16"], tmp_path).returncode == 0


def test_the_one_call_of_the_readme_runs(folder, tmp_path, monkeypatch):
    """The example prunes the README's own network, which then trains and is written."""
    example = next(block for block in blocks("python") if "ganprune.prune(" in block)
    assert len(example.strip().splitlines()) <= 12
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(folder)
    names: dict = {}
    exec(example.replace("64, 64", "16, 16"), names)
    assert names["pruned"].costs["macs"].share <= 0.3
    loss = names["pruned"].model(names["photos"][:2]).square().mean()
    loss.backward()
    names["optimizer"].step()
    assert (tmp_path / "pruned" / "generator.onnx").is_file()


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    """The Python example runs as it stands, with smaller numbers in its options."""
    example = next(block for block in blocks("python") if "Search(" in block)
    assert '"image_size": 64, "trials": 20' in example
    small = (
        '"image_size": 16, "trials": 2, "teacher_steps": 2, "finetune_steps": 2, "n_train": 8, "n_test": 8, '
        '"metric": "shapes", "task_settings": {"discriminator": {"ndf": 4}}'
    )
    example = example.replace('"image_size": 64, "trials": 20', small)
    example = example.replace("options=options)", "options=options, run_options=RunOptions(executor='local'))")
    example = example.replace("import Search, Study", "import RunOptions, Search, Study")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README", "exec"), {})
    assert (tmp_path / "smallest" / "manifest.json").is_file()


COMMANDS = typer.main.get_command(app).commands


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_says_what_it_does(name: str):
    """`ganprune COMMAND --help-all` says what it is for, and of each argument and option what it means."""
    done = CliRunner().invoke(app, [name, "--help-all"])
    shown, command = "".join(done.stdout.split()), COMMANDS[name]
    assert done.exit_code == 0
    for parameter in (one for one in command.params if one.name != "help_all"):  # shown if a command has a short help
        text = getattr(parameter, "help", None) or ""
        assert len(text.split()) > 1 or parameter.name in ("help", "seed"), f"{name} {parameter.name}: {text!r}"
        assert (getattr(parameter, "metavar", None) or max(parameter.opts, key=len)) in shown
        assert "".join(text.split()) in shown, f"{name} {parameter.name}: {text!r}"
    assert len(command.help.split()) > 2
    assert "".join(command.help.split()) in shown


@pytest.mark.parametrize("page", SCRIPTS)
def test_scripts_for_other_machines_are_bash_with_our_commands_and_options(page: str):
    """A script that cannot run here has no syntax error, and each of its `ganprune` lines has known options."""
    for script in SCRIPTS[page]:
        assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""
        lines = re.findall(r"\bganprune (\w[^#&>;\n]*)", script.replace("\\\n", " "))
        for name, *words in map(shlex.split, lines):
            known = {option for one in COMMANDS[name].params for option in one.opts}
            assert {word for word in words if word.startswith("--")} <= known, name


def test_the_methods_of_the_readme_are_those_of_the_catalog():
    """The README's table of methods is the catalog."""
    from ganprune.gan_models.pruning.catalog import METHODS

    table = README.partition("## Methods")[2].partition("\n## ")[0]
    listed = dict(re.findall(r"^\| `(\w+)` \|.*\| (\w+) \|$", table, flags=re.M))
    assert listed == {name: spec.widths for name, spec in METHODS.own.items()}


def test_the_commands_of_the_readme_are_all_commands():
    """The README lists every command and no other."""
    listed = set(re.search(r"All commands: `([a-z -]+)`", README)[1].split())
    code = "from ganprune.studies.cli.main import app; import typer; print(*typer.main.get_command(app).commands)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == listed
