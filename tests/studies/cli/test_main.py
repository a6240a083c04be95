"""The command line as a user meets it: what it does, what it prints, what it exits with."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
from ganprune.gan_models.files import open_table
from ganprune.gan_models.files.errors import UserError, WorkFailed
from ganprune.search.trial import trial as training
from ganprune.studies.api import Study
from ganprune.studies.cli import main
from ganprune.studies.cli.help.command_table import COMMANDS
from PIL import Image
from sqlalchemy.exc import OperationalError

from ...command_line import call, refused

TINY = [
    "--model", "resnet", "--model-args", "ngf=8,n_blocks=1", "--image-size", "16", "--teacher-steps", "3",
    "--finetune-steps", "4", "--rungs", "0.5", "--batch-size", "2", "--ndf", "4", "--metric", "shapes",
    "--executor", "local",
]  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def aligned(folder: Path, n: int = 6, size: int = 20) -> Path:
    """Images on disk in pix2pix's layout, A|B side by side."""
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        (folder / split).mkdir(parents=True)
        for i in range(n):
            a = rng.integers(0, 255, (size, size, 3), dtype=np.uint8)
            Image.fromarray(np.concatenate([a, 255 - a], axis=1)).save(folder / split / f"{i}.png")
    return folder


def test_a_search_is_launched_resumed_and_exported(place, monkeypatch, capsys):
    """search, resume, show, pareto, export, verify, run, report, delete: each does its part on an aligned folder."""
    data = aligned(place / "pairs")
    common = ["--data", data, "--study", "s", "--methods", "uniform,magnitude", "--trials", 3, "--no-flip"]
    assert call(monkeypatch, "search", *TINY, *common, "--budget", "40%") == 0
    out = capsys.readouterr().out
    assert "3 of 3 done" in out
    assert "hypervolume" in out
    assert call(monkeypatch, "resume", "s", "--trials", 5, "--executor", "local", "--json") == 0
    front = json.loads(capsys.readouterr().out)
    assert [row["method"] for row in front["front"][:2]] == ["dense teacher", "input"]
    assert {row["state"] for row in front["front"][2:]} == {"COMPLETE"}

    assert call(monkeypatch, "show", "s", "--json") == 0
    trials = json.loads(capsys.readouterr().out)["trials"]
    assert sorted(row["trial"] for row in trials if row["trial"] is not None) == [0, 1, 2, 3, 4]
    study = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 5
    on_front = {trial.number for trial in study.best_trials}
    assert on_front == {row["trial"] for row in front["front"] if row["trial"] is not None}
    quality, cost = study.metric_names
    assert quality.endswith("(lower is better)")
    assert cost == "MACs (exact convention)"
    for trial in study.trials:
        assert {"method", "plan", "architecture", "measurements", "artifact", "seconds"} <= set(trial.user_attrs)

    assert call(monkeypatch, "pareto", "s", "--csv", "new/f.csv", "--plot", "f.png", "--pictures", "p.png") == 0
    assert (place / "new" / "f.csv").read_text().count("\n") == len(front["front"]) + 1
    assert all(Image.open(place / name).size[0] > 300 for name in ("f.png", "p.png"))
    capsys.readouterr()
    assert call(monkeypatch, "export", "s", "--best-under", "39.9%", "--out", "b") == 0
    assert "largest difference" in capsys.readouterr().out
    assert call(monkeypatch, "verify", "b") == 0
    assert "FAIL" not in capsys.readouterr().out
    assert call(monkeypatch, "run", "b", "--input", data / "test", "--half", "A", "--out", "translated") == 0
    assert len(list((place / "translated").glob("*.png"))) == 6
    assert call(monkeypatch, "report", "s", "--out", "r.html") == 0
    assert "<html" in (place / "r.html").read_text()
    assert call(monkeypatch, "studies", "--json") == 0
    assert call(monkeypatch, "delete", "s", "--yes") == 0
    assert not (place / "ganprune-artifacts" / "s").exists()


def test_a_trained_teacher_is_a_teacher_for_a_search(place, monkeypatch, capsys):
    """`train` writes weights that `--teacher` and `--teacher-discriminator` take; with both the search trains neither,
    with the teacher alone it says for how long it will train a discriminator first."""
    shape = ["--model", "resnet", "--model-args", "ngf=8,n_blocks=1", "--image-size", "16", "--data", "builtin:shapes"]
    assert call(monkeypatch, "train", *shape, "--steps", 2, "--batch-size", 2, "--out", "t.safetensors") == 0
    assert (place / "t.safetensors").is_file()
    assert (place / "t.discriminator.safetensors").is_file()
    sizes = ["--n-train", 8, "--n-test", 8, "--trials", 1, "--budget", "50%", "--methods", "uniform"]
    weights = ["--teacher", "t.safetensors", "--data", "builtin:shapes", "--metric", "shapes", "--executor", "local"]
    steps = ["--teacher-steps", 2, "--finetune-steps", 1, "--batch-size", 2]
    note = "no --teacher-discriminator: one is trained against the frozen teacher first, for 2 steps"
    judge = ["--teacher-discriminator", "t.discriminator.safetensors"]
    for study, given, trained in (("alone", ["--ndf", 4], True), ("both", judge, False)):
        capsys.readouterr()
        assert call(monkeypatch, "search", "--study", study, *shape[:6], *weights, *sizes, *steps, *given) == 0
        assert (note in " ".join(capsys.readouterr().err.split())) == trained
        record = json.loads((place / "ganprune-artifacts" / study / "teacher" / "teacher.json").read_text())
        assert record["origin"]["G"]["file"] == "t.safetensors"
        assert (record["seconds"] > 0) == trained


def test_options_come_from_a_file_and_flags_win(place, monkeypatch, capsys):
    """--config holds any of a search's options in TOML, dashes or underscores; a flag beside it wins."""
    (place / "c.toml").write_text('model = "nosuch"\ndata = "builtin:shapes"\nbudget = ["25%"]\nimage-size = 16\n')
    assert call(monkeypatch, "search", "--config", "c.toml") == 2
    assert "'nosuch' is not known" in capsys.readouterr().err
    assert call(monkeypatch, "search", "--config", "c.toml", "--model", "resnet", "--budget", "5") == 2
    assert "budget '5' has no unit" in capsys.readouterr().err
    (place / "d.toml").write_text("color = 1\n[model-args]\nngf = 8\n")
    assert call(monkeypatch, "search", *TINY, "--data", "builtin:shapes", "--budget", "25%", "--config", "d.toml") == 2
    assert "unknown option 'color'. Expected one of adversarial" in capsys.readouterr().err


BAD = {
    "budget 0": (["--budget", "0"], 2, "is not above zero"),
    "budget -1GMACs": (["--budget=-1GMACs"], 2, "is not above zero"),
    "budget 5": (["--budget", "5"], 2, "has no unit"),
    "budget 1e9GMACs": (["--budget", "1e9GMACs"], 2, "leaves nothing to prune; expected one between"),
    "budget 0.001%": (["--budget", "0.001%"], 2, "cannot be met; expected one between"),
    "budget 20ms": (["--budget", "20ms"], 2, "needs a latency profile"),
    "model": (["--model", "nosuch"], 2, "use one of resnet"),
    "model arguments": (["--model-args", "nfg=3"], 2, "allowed arguments: ngf"),
    "method": (["--methods", "fancy"], 2, "unknown method 'fancy'; expected one of uniform"),
    "data missing": (["--data", "/nowhere"], 2, "does not exist"),
    "data empty": (["--data", "empty"], 2, "A|B side by side"),
    "teacher missing": (["--teacher", "none.pth"], 2, "is not a file"),
    "teacher a pickle": (["--teacher", "evil.pth"], 2, "must run code to load"),
    "storage": (["--storage", "postgresql://u:secret@127.0.0.1:1/x"], 1, "u:***@127.0.0.1"),
    "storage kind": (["--storage", "mysql://u:secret@h/x"], 2, "not supported"),
    "storage driver": (["--storage", "postgresql+psycopgg://u:secret@h/x"], 2, "is not a database URL"),
    "storage folder": (["--storage", "sqlite:///nodir/x.db"], 2, "nodir does not exist; make it first"),
    "storage no database": (["--storage", "sqlite:///text.db"], 1, "file is not a database"),
    "artifacts": (["--artifacts", "s4://bucket/x"], 2, "artifacts at 's4://bucket/x/search': Protocol not known"),
    "study name": (["--study", "../x"], 2, "invalid name of a study"),
    "group pattern": (["--keep", "zzz"], 2, "matches no group"),
    "executor": (["--executor", "cloud"], 2, "use ray or local"),
    "share": (["--share", "widths=much"], 2, "widths: got 'much'; expected a valid number"),
    "inception": (["--metric", "inception"], 2, "pt_inception"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_and_leaves_nothing(case, place, monkeypatch, capsys):
    """One line that says what was given and what is allowed, exit code 2 (1 where the world is at fault), no study made."""
    monkeypatch.setenv("TORCH_HOME", str(place / "no-cache"))
    (place / "empty").mkdir()
    (place / "evil.pth").write_bytes(pickle.dumps(Path))
    (place / "text.db").write_text("no database" * 1000)
    extra, code, says = BAD[case]
    assert call(monkeypatch, "search", *TINY, "--data", "builtin:shapes", "--budget", "30%", *extra) == code
    captured = capsys.readouterr()
    error = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert len(error) == 1
    assert says in error[0]
    assert "Traceback" not in captured.err
    assert "secret" not in captured.err + captured.out
    assert not (place / "ganprune-artifacts").exists()


def test_names_that_exist_and_names_that_do_not(place, monkeypatch, capsys):
    """A second study of one name is refused with what to do; a study that is not there names those that are."""
    tiny = [*TINY, "--data", "builtin:shapes", "--n-train", 8, "--n-test", 8, "--budget", "30%", "--trials", 1]
    assert call(monkeypatch, "search", *tiny) == 0
    capsys.readouterr()
    assert call(monkeypatch, "search", *tiny) == 2
    assert "`ganprune resume search` continues it" in capsys.readouterr().err
    assert call(monkeypatch, "pareto", "other") == 2
    assert "no study 'other'" in capsys.readouterr().err
    assert call(monkeypatch, "export", "search", "--trial", 7) == 2
    assert "7" in capsys.readouterr().err
    assert call(monkeypatch, "export", "search") == 2
    assert "--best-under" in capsys.readouterr().err
    assert call(monkeypatch, "resume", "search", "--trials", 0) == 2
    assert "--trials is the study's total: 1 are there already, got 0" in capsys.readouterr().err
    (place / "c.toml").write_text("model = 'resnet'\nbudget = '30%'\n[run]\nstudy = 'search'\nexecutor = 'local'\n")
    given = ["resume", "search", "--config", "c.toml"]
    line = refused(monkeypatch, capsys, *given, "--set", "budget.budgets=['20%']")
    assert "budgets of study 'search' cannot change: got ['20%']; it has ['30%']. A resume may change trials" in line
    assert "latency_profile cannot change" in refused(monkeypatch, capsys, *given, "--set", "run.latency_profile=x")
    assert call(monkeypatch, *given, "--set", "search.trials=2", "--set", "run.device=cpu") == 0
    assert Study.open("search").config.device == "cpu"
    assert len(Study.open("search").trials) == 2
    assert "f.xyz: expected a name that ends in .png" in refused(
        monkeypatch, capsys, "pareto", "search", "--plot", "f.xyz"
    )
    (place / "empty.db").touch()
    for file, says in (("none.db", "no database at "), ("empty.db", "there are no studies in it")):
        assert says in refused(monkeypatch, capsys, "resume", "search", "--storage", f"sqlite:///{file}")


def test_two_budgets_are_both_met_by_every_plan(place, monkeypatch, capsys):
    """With two budgets the first is the cost; Optuna's tables hold by how much each trial is under the second."""
    tiny = [*TINY, "--data", "builtin:shapes", "--n-train", 8, "--n-test", 8, "--trials", 3, "--methods", "uniform"]
    assert call(monkeypatch, "search", *tiny, "--budget", "60%", "--budget", "6kparams") == 0
    assert "plans within 6kparams cost at most" in " ".join(capsys.readouterr().err.split())
    study = optuna.load_study(study_name="search", storage="sqlite:///ganprune.db")
    for trial in study.trials:
        params = next(m["value"] for m in trial.user_attrs["measurements"] if m["name"] == "params")
        assert params <= 6000
        assert trial.constraints["6kparams"] == pytest.approx(params / 6000 - 1)
    assert max(trial.constraints["6kparams"] for trial in study.trials) > -0.05
    line = refused(monkeypatch, capsys, "search", *tiny, "--study", "no", "--budget", "60%", "--budget", "1params")
    assert "budget 1params = 1 parameters cannot be met" in line


def test_a_broken_image_is_skipped_or_named(place, monkeypatch, capsys):
    """A file that is no image is left out with a count; with --strict it ends the search by name."""
    data = aligned(place / "pairs")
    (data / "train" / "broken.png").write_bytes(b"no image")
    arguments = [*TINY, "--data", data, "--budget", "40%", "--trials", 1, "--methods", "uniform"]
    assert call(monkeypatch, "search", *arguments, "--strict", "--study", "strict") == 2
    assert "broken.png" in capsys.readouterr().err
    assert call(monkeypatch, "search", *arguments, "--study", "lenient") == 0
    err = capsys.readouterr().err
    assert (
        "note: quality is measured on 6 test images, which are too few for reliable numbers. Try more test images, 50 or more"
        in err
    )
    said = [line for line in err.splitlines() if "broken.png" in line]
    assert len(said) == 1  # once, though the data is opened many times, and without the source line that says it
    assert said[0].startswith("note: left out 1 of ")
    assert call(monkeypatch, "export", "lenient", "--trial", 0, "--out", "b") == 0
    lineage = json.loads((place / "b" / "card.json").read_text())["lineage"]
    assert (lineage["n_train"], lineage["n_test"]) == (6, 6)
    record = json.loads((place / "ganprune-artifacts" / "lenient" / "teacher" / "teacher.json").read_text())
    assert record["skipped"] == 1


@pytest.mark.parametrize(
    ("model", "numbers"),
    [
        ("resnet_9blocks", ["49.55 GMACs = 49,551,507,456", "56.8 GMACs (published) = 56,799,264,768", "11,378,179"]),
        ("unet_256", ["6.048 GMACs = 6,048,186,368", "18.14 GMACs (published) = 18,140,364,800", "54,413,955"]),
    ],
)
def test_inspect_tells_both_conventions(model, numbers, place, monkeypatch, capsys):
    """The true and the published MACs of the networks of the literature, with groups and what stays whole."""
    assert call(monkeypatch, "inspect", "--model", model) == 0
    out = capsys.readouterr().out
    assert all(number in out for number in numbers)
    assert "writes the network's output" in out


def test_doctor_says_what_is_there(place, monkeypatch, capsys):
    """Every package, the torchvision trap, the Inception weights with their cure, and a package whose row is not used."""
    monkeypatch.setenv("TORCH_HOME", str(place / "no-cache"))
    info = place / "second" / "second-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: second\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ganprune.methods]\nuniform = nowhere:ROW\n")
    monkeypatch.syspath_prepend(str(info.parent))
    open_table._entry_points.cache_clear()
    assert call(monkeypatch, "doctor", "--json") == 0
    open_table._entry_points.cache_clear()
    found = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert found["torchvision with torch"]["ok"]
    assert not found["Inception weights"]["ok"]
    assert "--inception-weights" in found["Inception weights"]["cure"]
    assert not found["package second"]["ok"]
    assert found["package second"]["found"].startswith("method 'uniform' of the package second is not used, because")


def test_help_is_quick_because_nothing_heavy_is_imported():
    """`ganprune --help` as its own process imports neither torch nor ray nor optuna."""
    code = "import sys; sys.argv = ['ganprune', '--help']\nfrom ganprune.studies.cli import main\ntry:\n main.main()\nfinally:\n print(sorted(m for m in ('torch', 'ray', 'optuna', 'pandas') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_help_says(name):
    """The table that `ganprune --help` prints, without a command imported, has the commands' own words."""
    assert COMMANDS[name].build(name).help == COMMANDS[name].help


def test_a_command_builds_no_other():
    """`ganprune show --help` loads neither the options of `search` nor the table of networks, and a typo is named."""
    code = "import sys; sys.argv = ['ganprune', 'show', '--help']\nfrom ganprune.studies.cli import main\ntry:\n main.main()\nfinally:\n print([m for m in ('cli.search', 'cli.measure.quality') if f'ganprune.studies.{m}' in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    code = code.replace("'show', '--help'", "'shwo'")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "error: unknown command 'shwo'. Did you mean show?" in done.stderr


def test_a_simulated_study_is_marked_in_the_list(place, monkeypatch, capsys):
    """`studies` says of a study that nothing was trained in it, as a table and as JSON."""
    assert call(monkeypatch, "search", *SHAPES, "--trials", 2, "--simulate", "--seconds-per-step", 1) == 0
    capsys.readouterr()
    assert call(monkeypatch, "studies") == 0
    assert "(simulated)" in capsys.readouterr().out
    assert call(monkeypatch, "studies", "--json") == 0
    assert [row["simulated"] for row in json.loads(capsys.readouterr().out)] == [True]


def test_a_size_is_given_once_to_inspect(place, monkeypatch, capsys):
    """`--input-shape` holds the size: `--image-size` beside it would be ignored, and is refused."""
    given = ["--model", "mine.py:Net", "--input-shape", "3,32,32", "--image-size", 64]
    assert "--input-shape 3,32,32 says the size" in refused(monkeypatch, capsys, "inspect", *given)


FAULTS = {
    "a missing key": (
        KeyError("widths"),
        1,
        "error: this is a bug in ganprune, not in your input: KeyError: 'widths'",
    ),
    "a wrong value": (
        ValueError("not a plan"),
        1,
        "error: this is a bug in ganprune, not in your input: ValueError: not",
    ),
    "a division by zero": (ZeroDivisionError("by zero"), 1, "error: this is a bug in ganprune"),
    "the user's input": (UserError("no such study"), 2, "error: no such study"),
    "work that failed": (WorkFailed("the database is away"), 1, "error: the database is away"),
    "a full disk": (OSError(28, "No space left on device"), 1, "error: No space left on device"),
    "a database": (OperationalError("SELECT", {}, Exception("is locked")), 1, "error: (builtins.Exception) is locked"),
    "no memory": (MemoryError("cannot allocate"), 1, "error: cannot allocate"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_of_ours_is_no_wrong_input(case, place, monkeypatch, capsys):
    """Only UserError exits with 2; what neither user nor surroundings did is told as ours, with --debug as the cure."""
    error, code, line = FAULTS[case]

    def fails(*_args, **_named):
        raise error

    monkeypatch.setattr("ganprune.studies.database.reader.list_studies", fails)
    assert call(monkeypatch, "studies") == code
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert said.count("\n") == 1
    assert ("--debug" in said) == ("bug in ganprune" in said)
    monkeypatch.setattr(sys, "argv", ["ganprune", "studies", "--debug"])
    with pytest.raises(type(error)):
        main.main()


SHAPES = [*TINY, "--data", "builtin:shapes", "--n-train", 8, "--n-test", 8, "--budget", "60%", "--methods", "uniform"]


def test_artifacts_behind_a_url(place, monkeypatch, capsys):
    """A study whose files lie behind an fsspec URL is resumed and exported on a machine that has none of them."""
    url = f"file://{place}/bucket"
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "one"))
    assert call(monkeypatch, "search", *SHAPES, "--artifacts", url, "--trials", 2) == 0
    assert (place / "bucket" / "search" / "1" / "generator.safetensors").is_file()
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "two"))
    assert call(monkeypatch, "resume", "search", "--trials", 3, "--executor", "local") == 0
    assert call(monkeypatch, "export", "search", "--trial", 1, "--out", "b") == 0
    assert call(monkeypatch, "gc", "search") == 0
    assert "trials off the front removed" in capsys.readouterr().out
    assert call(monkeypatch, "delete", "search", "--yes") == 0
    assert not (place / "bucket" / "search").exists()


def test_the_time_limit_holds_for_the_teacher_too(place, monkeypatch, capsys):
    """--hours that are over while the teacher is trained end the search cleanly; a resume trains on and searches."""
    assert call(monkeypatch, "search", *SHAPES, "--teacher-steps", 5000, "--trials", 1, "--hours", "0.0005") == 0
    assert "search ended: deadline" in capsys.readouterr().out
    assert not (place / "ganprune-artifacts" / "search" / "teacher" / "teacher.json").exists()
    with monkeypatch.context() as patched:  # the rest of 5000 steps is not for a test
        patched.setattr("ganprune.studies.api.prepare", lambda *_: pytest.fail("it goes on with the teacher"))
        with pytest.raises(pytest.fail.Exception, match="goes on with the teacher"):
            call(patched, "resume", "search", "--executor", "local")


def test_a_search_whose_trials_fail_exits_1_with_their_reasons(place, monkeypatch, capsys):
    """The front so far is printed first; a resume of it fails alike, and goes on with the total that the line names."""
    real = training.run

    def run(request, report):
        if request.number:
            raise ValueError(f"no more memory, {'wide' if request.number == 5 else 'narrow'}")
        return real(request, report)

    def failed(*arguments):
        capsys.readouterr()
        assert call(monkeypatch, *arguments) == 1
        captured = capsys.readouterr()
        (line,) = [line for line in captured.err.splitlines() if line.startswith("error: ")]
        assert "too many trials failed (5 of 6); the last, trials 3, 4: " in line
        assert "no more memory, narrow; trial 5: " in line
        assert "no more memory, wide. Repair the cause, then `ganprune resume search --trials 12`" in line
        return captured.out

    with monkeypatch.context() as patched:
        patched.setattr(training, "run", run)
        assert "front of search" in failed("search", *SHAPES, "--trials", 4)
        front = json.loads(failed("resume", "search", "--executor", "local", "--json"))["front"]
        assert [row["trial"] for row in front] == [None, None, 0]  # teacher, input, trial
    assert call(monkeypatch, "resume", "search", "--executor", "local", "--trials", 12) == 0
