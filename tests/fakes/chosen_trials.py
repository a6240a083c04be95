"""Trials that a chooser proposes one after another, with a quality that has a known best setting."""

from ganprune.search.records.ledger import TrialRecord

from .fake_proposals import FakeProposals

WIDTHS = FakeProposals(methods=("widths",), rungs_of_ladder=0)


def simulate(chooser, n, response, records=(), state="COMPLETE"):
    records = list(records)
    for number in range(len(records), n):
        new = chooser.next(records, number)
        records.append(TrialRecord(number, state, new, quality=response(new), cost=new.target))
    return records


def bowl(new):
    return 1 / new.target + 30 * (new.params.get("widths.x", 0.9) - 0.25) ** 2
