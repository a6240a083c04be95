import json
import math

import pytest
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.pruning.proposal import Proposal


@pytest.mark.parametrize("widths", [None, {"g": 4}])
def test_a_proposal_survives_json(widths):
    """A proposal comes back equal through JSON text, its settings as plain values."""
    proposal = Proposal("widths", {"a": 1.5}, 2.5, "macs", widths, 8)
    assert from_json(Proposal, json.loads(json.dumps(to_json(proposal)))) == proposal


@pytest.mark.parametrize("target", [math.nan, math.inf, 0.0, -1.0])
def test_a_target_is_a_cost(target):
    """A proposal that aims at no finite cost above 0 cannot be made."""
    with pytest.raises(ValueError, match="expected a finite cost above 0"):
        Proposal("widths", {}, target, "macs")
