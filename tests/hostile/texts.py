"""Hostile texts: TOML configurations, flags, tables, and the JSON files that commands are given or studies contain."""

import csv
import io
import json
import random
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganprune.evaluators.cost.measurers.printed_latency import read_latency
from ganprune.gan_models.export.int8_parity import read_quantization
from ganprune.gan_models.files.pictures.image_size import read_image_size
from ganprune.gan_models.files.plain_values import to_json
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.networks.value_ranges import ValueRanges
from ganprune.gan_models.plan_scores.score_table import GroupScores, ScoreTable
from ganprune.search.artifacts.study_folder import StudyFolder, read_curve, read_result
from ganprune.search.config import StudyConfig
from ganprune.search.configuration.flag_text import read_arguments, read_list, read_multiple, read_nested
from ganprune.search.latency.profile import read_profile, write_profile
from ganprune.spaces.budget import Budgets
from ganprune.studies.bench.results.comparisons import compared
from ganprune.studies.bench.results.rows import read_rows, rows_to_json
from ganprune.studies.bench.results.tables import markdown
from ganprune.studies.cli.search import SEARCH_FLAGS, check_early, options_given, run_values
from ganprune.studies.integrations.hub.repository import HubReference
from ganprune.studies.plans.given_plan import read_plan
from ganprune.studies.scoreboard.published_result import read_results

from ..fakes.analytic_device import AnalyticDevice, profiled
from .guard import ROOT
from .kind import Kind, any_file
from .mutations import PATHS, TEXTS, as_json, mutated_bytes, mutated_tree, odd_value, splices

_STUDY = """\
name = "shoes"
[model]
model = "resnet"
model_args = {ngf = 4, n_blocks = 1}
[data]
data = "builtin:shapes"
image_size = 16
n_train = 8
[budget]
budget = ["25%", "2MB"]
[search]
trials = 12
methods = ["uniform", "coronet"]
[training]
teacher_steps = 2
finetune_steps = 8
recipe = {batch_size = 2, distill_output = 10.0}
task_settings = {discriminator = {model = "n_layers", ndf = 4}}
[quality]
metric = "shapes"
[run]
storage = "sqlite:///studies.db"
executor = "local"
"""


def _toml_seeds(folder: Path) -> None:
    (folder / "study.toml").write_text(_STUDY)
    for path in (ROOT / "search" / "configuration" / "presets").glob("*.toml"):
        text = path.read_text().replace("[data]\n", '[data]\ndata = "builtin:shapes"\n')
        (folder / path.name).write_text(text + ("" if "[budget]" in text else '[budget]\nbudget = "25%"\n'))


def _toml(value: Any) -> str:
    """A value in TOML's form, as far as it has one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value)
    return "0" if value is None else str(value)


def _make_toml(dice: random.Random, seeds: Path, case: Path) -> None:
    content = any_file(seeds, dice).read_bytes()
    how = dice.randrange(10)
    if how < 6:
        tree = mutated_tree(tomllib.loads(content.decode()), dice, dice.choice([1, 1, 2, 5]))
        tree = tree if isinstance(tree, dict) else {"model": tree}
        try:
            content = "\n".join(f"{json.dumps(str(k))} = {_toml(v)}" for k, v in tree.items()).encode(
                "utf-8", "replace"
            )
        except RecursionError:
            content = b"a = " + b"[" * 900 + b"1" + b"]" * 900
    elif how == 6:
        content = splices(content, any_file(seeds, dice).read_bytes(), dice)
    elif how == 7:
        content = dice.choice(
            [b"a = " + b"[" * 50_000, b"a = " + b"{a = " * 20_000, b"a" + b".a" * 50_000 + b" = 1", b"a = 1" + b"0" * 5000,
             b"[" + b"a." * 9000 + b"a]", b"a = 9999-99-99", b"a = '''" + b"x" * 10**6, b"\xff\xfe" + "a = 1".encode("utf-16-le")]
        )  # fmt: skip
    else:
        content = mutated_bytes(content, dice)
    (case / "study.toml").write_bytes(content)


def _read_toml(case: Path, results: Path) -> None:
    values = options_given(SEARCH_FLAGS, {}, case / "study.toml", None)
    run_values(values)
    values.setdefault("name", "search")
    config = StudyConfig.from_json(values)
    check_early(config)
    config.fingerprint()


_FLAGS: dict[str, tuple[Callable[[str], object], str]] = {
    "arguments": (read_arguments, 'ngf=16,norm=batch,mult=[1,2,4],name="Res-X",on=true'),
    "nested": (read_nested, "weight_l1=50,discriminator.ndf=16"),
    "list": (read_list, "a,b,c"),
    "multiple": (read_multiple, "8"),
    "inputs": (lambda text: InputSpec.parse(text).text, "photo=3,64,64@0,1;style=latent:64;label:10,64,64"),
    "range": (ValueRanges.read, "0,1"),
    "size": (read_image_size, "256x512"),
    "budget": (lambda text: Budgets.parse((text,), "exact"), "2.5GMACs"),
    "hub": (HubReference.parse, "hf:user/name@v1"),
    "setting": (lambda text: options_given(SEARCH_FLAGS, {}, None, [text]), "training.recipe.distill_output=0.2"),
    "latency": (read_latency, '{"median_ms": 12.5, "p90_ms": 13, "n": 20}'),
}


def _no_seeds(folder: Path) -> None:
    """The seeds are in this file."""


def _make_flag(dice: random.Random, seeds: Path, case: Path) -> None:
    name = dice.choice(list(_FLAGS))
    text = _FLAGS[name][1]
    how = dice.randrange(5)
    if how == 0:
        text = dice.choice([*TEXTS, *PATHS])
    elif how == 1:
        at = dice.randrange(len(text) + 1)
        text = (
            text[:at]
            + dice.choice([*TEXTS, *PATHS, "[" * 5000, "(" * 5000, "{'a':" * 3000, "9" * 5000, "-" * 3000 + "1"])
            + text[at:]
        )
    elif how == 2:
        text = text.replace(dice.choice(text), dice.choice(["", "=", ",", "[[[[", "'", "\0", "١", "1e999", "9" * 400]))
    elif how == 3:
        text = f"a={dice.choice(['[' * 5000, '(' * 5000 + '1' + ')' * 5000, '{' * 500, '9' * 5000, '-' * 4000 + '1', '1' + '+1' * 9000])}"
    else:
        text = mutated_bytes(text.encode(), dice).decode("utf-8", "replace")
    (case / name).write_text(text, encoding="utf-8", errors="surrogatepass", newline="")


def _read_flag(case: Path, results: Path) -> None:
    (path,) = case.iterdir()
    _FLAGS[path.name][0](path.read_bytes().decode("utf-8", "surrogatepass"))


def _table_seeds(folder: Path) -> None:
    (folder / "bench.csv").write_bytes(b"".join((ROOT / "docs" / "bench.csv").read_bytes().splitlines(True)[:12]))
    (folder / "published.csv").write_bytes((ROOT / "studies" / "scoreboard" / "published.csv").read_bytes())


def _make_table(dice: random.Random, seeds: Path, case: Path) -> None:
    seed = any_file(seeds, dice)
    content, how = seed.read_bytes(), dice.randrange(6)
    if how < 4:
        rows = list(csv.reader(io.StringIO(content.decode())))
        for _ in range(dice.choice([1, 1, 3])):
            row = rows[0] if dice.random() < 0.2 else dice.choice(rows)
            row[dice.randrange(len(row))] = str(odd_value(dice))[:200_000]
            if dice.random() < 0.1:
                row.append("1")
            if dice.random() < 0.1:
                rows.append(list(row))
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        content = text.getvalue().encode("utf-8", "replace")
    else:
        content = mutated_bytes(content, dice)
    (case / seed.name).write_bytes(content)


def _read_table(case: Path, results: Path) -> None:
    (path,) = case.iterdir()
    if path.name == "published.csv":
        read_results(path)
        return
    rows = read_rows(path)
    rows_to_json(rows)
    if rows:
        markdown(compared(rows))


def _json_seeds(folder: Path) -> None:
    plan = {"plans": [{"name": "P0", "widths": {"a": 3, "b": 4}}, {"name": "P1", "channels": {"a": [0, 2], "b": [1]}}]}
    (folder / "plan.json").write_text(json.dumps(plan))
    write_profile(profiled(AnalyticDevice(overhead_ms=2.0)), folder / "profile.json")
    group = GroupScores((2, 0, 1), (2.0, 1.0, 0.0), "schur")
    (folder / "scores.json").write_text(json.dumps(to_json(ScoreTable({"a": group}, "0" * 24, 8, 100.0))))
    artifacts = ROOT / "tests" / "fixtures" / "0.1.0" / "ganprune-artifacts" / "old"
    (folder / "result.json").write_bytes((artifacts / "0" / "result.json").read_bytes())
    bundle = ROOT / "tests" / "fixtures" / "0.1.0" / "bundle-8bit"
    (folder / "quantisation.json").write_bytes((bundle / "quantisation.json").read_bytes())
    (folder / "curve.json").write_text(json.dumps({"4": 80.0, "8": 75.5}))
    (folder / "study.json").write_text(json.dumps({"id": "abc", "study": "s"}))


def _make_json(dice: random.Random, seeds: Path, case: Path) -> None:
    seed = any_file(seeds, dice)
    content = json.loads(seed.read_text())
    how = dice.randrange(6)
    if how == 0:
        made = mutated_bytes(seed.read_bytes(), dice)
    else:
        made = as_json(mutated_tree(content, dice, dice.choice([1, 1, 2, 4])), dice)
    (case / seed.name).write_bytes(made)


def _read_json(case: Path, results: Path) -> None:
    (path,) = case.iterdir()
    shutil.copy(path, results)
    readers: dict[str, Callable[[], object]] = {
        "plan.json": lambda: read_plan(f"{path}::P1", "s", ()),
        "profile.json": lambda: read_profile(path).sha256(),
        "scores.json": lambda: ScoreTable.load(path),
        "result.json": lambda: read_result(case, 0),
        "quantisation.json": lambda: read_quantization(case),
        "curve.json": lambda: read_curve(case),
        "study.json": lambda: StudyFolder(results.parent, results.name).claim("abc", new=False),
    }
    readers[path.name]()


KINDS = {
    "configurations": Kind(_toml_seeds, _make_toml, _read_toml),
    "flags": Kind(_no_seeds, _make_flag, _read_flag),
    "tables": Kind(_table_seeds, _make_table, _read_table),
    "JSON files": Kind(_json_seeds, _make_json, _read_json),
}
