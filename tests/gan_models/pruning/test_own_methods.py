"""A user's own method: by path or by another package's entry point, it is chosen, set and run as ours are."""

import pytest
import torch
from ganprune.gan_models.files import open_table
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.user_code import UserCodeFailed
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.catalog import METHODS, check_fixed, make_method, method_spec, run_method
from ganprune.gan_models.pruning.method import MethodSpec, PruneJob, Target
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.gan_models.pruning.settings import setting, settings_of
from ganprune.spaces.methods import MethodSpace
from ganprune.spaces.widths import WidthSpace

SOURCE = '''
from dataclasses import dataclass
from typing import Literal
import numpy as np
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.pruning.method import Pruned
from ganprune.gan_models.pruning.ranking import plan_within_target
from ganprune.gan_models.pruning.settings import setting


@dataclass(frozen=True)
class Chosen:
    end: Literal["first", "last"] = setting("first", note="which channels stay")
    slope: float = setting(1.0, low=0.5, high=2.0, log=True, searched=False)


class Positions:
    """Ranks channels by their position."""

    settings = Chosen

    def prune(self, job):
        sign = 1 if job.proposal.settings.end == "last" else -1
        scores = {name: sign * np.arange(size, dtype=float) for name, size in job.groups.sizes.items()}
        plan = plan_within_target(job.groups.form, scores, job.target)
        return Pruned(cut(job.model, job.groups, plan), plan)


class Mute:
    settings = Chosen


class Loose:
    settings = dict

    def prune(self, job): ...
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    model = build("resnet", {"ngf": 12, "n_blocks": 1})
    return model, find_groups(model, torch.empty(1, 3, 16, 16))


def test_a_method_by_path_is_searched_by_its_own_settings_and_prunes_by_them(file, network):
    """Its space has what it searches, a study can fix what it does not, and the job has an instance of its class."""
    name, (model, groups) = f"{file}:Positions", network
    spec = method_spec(name)
    assert (spec.widths, spec.note, spec.trains) == ("learned", "Ranks channels by their position.", False)
    space = MethodSpace(name, WidthSpace(groups.form), 0.1 * groups.form.dense(), groups.form.dense())
    assert set(space.distributions()) == {"target", f"{name}.end"}
    check_fixed({f"{name}.slope": 0.7})
    with pytest.raises(UserError, match=r"slope: got 9; expected 0\.5 to 2"):
        check_fixed({f"{name}.slope": 9})
    with pytest.raises(UserError, match=r"unknown setting: .*Positions.end"):
        check_fixed({f"{name}.start": 1})
    target = Target("macs", 0.4 * groups.form.dense())
    for end in ("first", "last"):
        proposal = Proposal(name, spec.read_settings({"end": end}), target.value, "macs")
        plan = make_method(name).prune(PruneJob(model, "G", groups, proposal, target, 0)).plan
        for group, kept in plan.kept.items():
            size = groups.sizes[group]
            assert list(kept) == (list(range(len(kept))) if end == "first" else list(range(size - len(kept), size)))


@pytest.mark.parametrize(
    ("name", "message"),
    [("Mute", "cannot prune: got type without prune"), ("Loose", "invalid settings: got .* a class made by")],
)
def test_an_object_that_is_no_method_is_refused_in_one_line(file, name, message):
    with pytest.raises(UserError, match=message) as caught:
        method_spec(f"{file}:{name}")
    assert "\n" not in str(caught.value)


BROKEN = """
import torch
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.pruning.method import Pruned


class Raises:
    def prune(self, job):
        raise KeyError("no such layer")


class Number:
    def prune(self, job):
        return 5


class Itself:
    def prune(self, job):
        return Pruned(job.model, job.groups.full_plan())


class Partly:
    def prune(self, job):
        return Pruned(cut(job.model, job.groups, job.groups.full_plan()), ChannelPlan({job.groups.names[0]: (0,)}))


class Changes:
    def prune(self, job):
        with torch.no_grad():
            next(job.model.parameters()).data.zero_()
        return Pruned(cut(job.model, job.groups, job.groups.full_plan()), job.groups.full_plan())
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Raises", r"raised KeyError: 'no such layer' \(broken.py, line 10\)$"),
        ("Number", "returned another object: got int; expected ganprune.gan_models.pruning.method.Pruned"),
        ("Itself", "returned the teacher itself: got job.model; expected a cut network"),
        ("Partly", "returned a plan that does not fit the network: got .*; expected a ChannelPlan with kept channels"),
        ("Changes", "changed the teacher's weights: got other values of .*weight; expected job.model as it was"),
    ],
)
def test_a_method_that_breaks_its_contract_is_named_and_the_teacher_stays(tmp_path, network, name, message):
    """One line with file and line number; weights that it changed are put back for the next trial."""
    (tmp_path / "broken.py").write_text(BROKEN)
    model, groups = network
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    method, target = f"{tmp_path / 'broken.py'}:{name}", Target("macs", groups.form.dense())
    with pytest.raises(UserCodeFailed, match=message) as caught:
        run_method(method, PruneJob(model, "G", groups, Proposal(method, None, target.value, "macs"), target, 0))
    assert "\n" not in str(caught.value)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def test_a_method_of_another_package_stands_in_the_table(file, monkeypatch):
    """A row by entry point is listed after ours and found by its name."""

    class Point:
        name, module, dist = "positions", "other", None

        @staticmethod
        def load():
            return MethodSpec(f"{file}:Positions", "learned", note="of another package")

    monkeypatch.setattr(
        open_table, "_entry_points", lambda group: {"positions": (Point,)} if "methods" in group else {}
    )
    monkeypatch.setattr(METHODS, "_loaded", {})
    assert list(METHODS)[-1] == "positions"
    assert METHODS["positions"].note == "of another package"
    assert callable(make_method("positions").prune)


def test_values_of_another_type_or_name_are_refused_and_whole_numbers_are_read_as_rates():
    """Settings come from JSON, in which 1.0 may be 1; a text for a number is an error that names it."""
    assert method_spec("magnitude").read_settings({"cost_exponent": 1}).cost_exponent == 1.0
    with pytest.raises(UserError, match="cost_exponent"):
        method_spec("magnitude").read_settings({"cost_exponent": "much"})
    with pytest.raises(UserError, match="no_such is not a known field"):
        method_spec("magnitude").read_settings({"no_such": 1})


def test_a_setting_without_a_range_is_refused_by_name():
    from dataclasses import make_dataclass

    plain = make_dataclass("Plain", [("rate", float, 0.1)], frozen=True)
    with pytest.raises(UserError, match="setting rate of Plain has no range"):
        settings_of(plain)
    whole = make_dataclass("Whole", [("k", int, setting(2, low=1, high=4))], frozen=True)
    with pytest.raises(UserError, match="setting k of Whole is a whole number with a range"):
        settings_of(whole)
