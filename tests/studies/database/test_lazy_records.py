"""Memory of a search for ended trials: their numbers, a few hundred bytes each."""

import gc
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
from ganprune.gan_models.costs.cost_form import CostForm, Row
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.engine.engine import Engine
from ganprune.search.engine.settings import EngineSettings
from ganprune.search.records.messages import TrialOutcome, TrialReport
from ganprune.search.simulation.response_surface import Surface
from ganprune.search.strategy.chooser import Choice
from ganprune.search.strategy.early_stopping import StoppingRule
from ganprune.search.strategy.proposals import SpaceProposals
from ganprune.spaces.widths import WidthSpace
from ganprune.studies.database import lazy_records as ended
from ganprune.studies.database.reader import read_study
from ganprune.studies.database.trial_rows import proposal_attributes

A_TRIAL = 1500  # bytes that may stay of one; whole records of 24 groups are five times as much
GROUPS, SIZE = 24, 32


def held(root):
    """Bytes of everything that an object leads to, code left out."""
    seen, stack, total = set(), [root], 0
    while stack:
        found = stack.pop()
        code = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType)
        if id(found) not in seen and not isinstance(found, code):
            seen.add(id(found))
            total += sys.getsizeof(found)
            stack += gc.get_referents(found)
    return total


def chain():
    """A chain of convolutions, each group feeding the next."""
    rows = []
    for i in range(GROUPS + 1):
        sides = [np.zeros(3, int) if j in (0, GROUPS + 1) else 1 + (j - 1) * SIZE + np.arange(SIZE) for j in (i, i + 1)]
        rows.append(Row(sides[0], sides[1], {"macs": 9.0, "macs_published": 9.0, "params": 9.0}))
    return CostForm.from_rows({f"g{i}": SIZE for i in range(GROUPS)}, rows)


def test_memory_is_flat(store):
    """From trial 120 to 270 of a study with stopping and three methods, numbers stay and plans do not."""
    form = chain()
    surface, space = Surface.drawn(form, 0), WidthSpace(form)
    proposals = SpaceProposals(space, 0.4 * form.dense(), ("uniform", "widths", "magnitude"))
    settings = EngineSettings(1000, Choice("random"), StoppingRule((1, 2)))
    engine = Engine(store, proposals, settings, store.folder, None)
    engine._chooser._history._limit = 12  # 300 are shown of a longer study

    def run(trials):
        for _ in range(trials):
            request = engine.ask()
            widths = request.proposal.widths or space.uniform(request.proposal.target)
            cost = float(form.predict(form.widths(widths)))
            curve = {step: surface.quality(form.widths(widths), step / 4, request.seed) for step in (1, 2, 4)}
            engine.started(request.number)
            reports = [TrialReport(step, curve[step], cost, {}, widths) for step in (1, 2)]
            if all(engine.report(request.number, report) for report in reports):
                engine.finished(request.number, TrialOutcome("COMPLETE", curve[4], cost, rungs=curve, widths=widths))
            else:
                engine.stopped(request.number)
        return held(engine)

    before = run(120)
    assert run(150) - before < 150 * A_TRIAL


def test_an_ended_trial_reads_as_it_was(store, new, url, monkeypatch):
    """However many ended after it, every mapping of its record is what was written: the database has it."""
    monkeypatch.setattr(ended, "MAX_RECORDS_IN_MEMORY", 2)
    for number in range(6):
        store.create_trial(new(target=0.1 * (number + 1)))
        store.report(number, TrialReport(1, 7.0, 1.0, {}, widths={"g": number}))
        store.finish(number, TrialOutcome("COMPLETE", 5.0, 1.0, rungs={1: 7.0, 2: 5.0}, widths={"g": number}))
    first = store.records()[0]
    assert dict(first.new.params) == {"target": 0.1, "n": 3, "kind": "b"}
    assert first.new.proposal == Proposal("widths", {"s": 1}, 0.1, "macs", {"g": 4})
    assert first.new.proposal.settings["s"] == 1
    assert first.new.sampler_state == {"generation": 2}
    assert [record.outcome.widths for record in store.records()] == [{"g": n} for n in range(6)]
    assert read_study(url, "s").trials == store.records()
    assert repr(first.new.params) == repr(dict(first.new.params))


def test_a_running_trial_is_not_read_back(store, new, monkeypatch):
    """Reading trials that have not ended, and those that ended last, needs no SQL statement."""
    store.create_trial(new())
    store.create_trial(new())
    store.finish(0, TrialOutcome("COMPLETE", 5.0, 1.0, widths={"g": 1}))
    monkeypatch.setattr(store._writer, "read", lambda number: pytest.fail(f"trial {number} was read"))
    assert store.records()[0].outcome.widths == {"g": 1}
    assert store.records()[1].new.params["n"] == 3


def test_what_a_search_chose_of_the_recipe_is_read_back(store, new, url):
    """A proposal's values of the recipe are in its record; a proposal without any is written as before."""
    plain = new()
    chosen = replace(plain, proposal=replace(plain.proposal, recipe={"ema": 0.05}))
    for each in (plain, chosen):
        store.create_trial(each)
    assert [trial.new.proposal.recipe for trial in read_study(url, "s").trials] == [{}, {"ema": 0.05}]
    assert "recipe" not in proposal_attributes(plain)["proposal"]
