"""A resolved study is a plain value: JSON both ways, torch-free to read, and what its live part is opened from."""

import json
import subprocess
import sys

import pytest
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import open_study
from ganprune.search.resolved_study import ResolvedStudy
from ganprune.search.setup.resolve import resolve
from ganprune.spaces import budget

from ..tiny_study import SMALL


@pytest.fixture(scope="module")
def resolved():
    return resolve(StudyConfig(name="r", **SMALL | {"budgets": ("60%", "30kB")}))


@pytest.fixture(scope="module")
def both():
    stripes = {"data": "builtin:stripes", "prune_network": "both", "budgets": ("AtoB=60%", "BtoA=40%")}
    return resolve(StudyConfig(name="b", **SMALL | stripes))


@pytest.mark.parametrize("name", ["resolved", "both"])
def test_it_survives_json(name, request):
    """A resolved study that is stored and sent to a worker comes back equal, with an equal fingerprint."""
    study, _ = request.getfixturevalue(name)
    again = from_json(ResolvedStudy, json.loads(json.dumps(to_json(study))))
    assert again == study
    assert again.fingerprint == study.fingerprint


def test_of_several_generators_each_has_its_budget_and_share(both):
    """The limits add up, the shares are their parts, and no plan has further budgets to meet."""
    study, parts = both
    assert [generator.name for generator in study.generators] == ["AtoB", "BtoA"]
    assert study.limit == sum(generator.limit for generator in study.generators)
    assert [generator.share for generator in study.generators] == pytest.approx([0.6, 0.4])
    assert study.others == ()
    assert study.generators[0].sizes == parts.own_groups["AtoB"].sizes


def test_readers_need_no_torch(resolved, tmp_path):
    """The stored value gives costs, limits and groups in a process that never imports torch."""
    study, parts = resolved
    (tmp_path / "study.json").write_text(json.dumps(to_json(study)))
    code = (
        "import json, sys; from ganprune.gan_models.files.plain_values import from_json; "
        "from ganprune.search.resolved_study import ResolvedStudy; "
        f"study = from_json(ResolvedStudy, json.load(open({str(tmp_path / 'study.json')!r}))); "
        "print(json.dumps([study.dense['macs'], study.limit, sum(study.groups.sizes), 'torch' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [parts.groups.form.dense(), study.limit, sum(parts.groups.sizes.values()), False]


def test_the_fingerprint_follows_what_changes_a_trial_and_nothing_else(resolved):
    """More trials or another device are the same study; another budget is another one."""
    study, _ = resolved
    config = {**study.config.to_json(), "name": "r"}
    more, _ = resolve(StudyConfig.from_json(config | {"trials": 99, "hours": 3.0}))
    tighter, _ = resolve(StudyConfig.from_json(config | {"budgets": ["50%", "30kB"]}))
    assert more.fingerprint == study.fingerprint != tighter.fingerprint


def test_one_process_opens_a_study_once(resolved):
    """Whoever asks with an equal value is given what is open; with another number of trials its parts are shared."""
    study, parts = resolved
    opened = open_study(study, parts=parts)
    again = open_study(from_json(ResolvedStudy, to_json(study)))
    assert again is opened
    assert opened.groups is parts.groups
    assert opened.test_data is parts.test_data


def test_a_budget_is_parsed_once_in_a_process(monkeypatch):
    """Copies of a configuration, checks and pricing share one parsed value."""
    texts = []
    parse = budget.parse_budget
    monkeypatch.setattr(budget, "parse_budget", lambda text, convention: texts.append(text) or parse(text, convention))
    resolve(StudyConfig(name="p", **SMALL | {"budgets": ("61.25%", "31kB")}))
    assert sorted(texts) == ["31kB", "61.25%"]
