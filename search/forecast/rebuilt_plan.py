"""The network of a scored plan, rebuilt: it was not stored, because the same inputs and seed reproduce it."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ...gan_models.groups.plan import ChannelPlan
from ..preparations.opened_study import OpenedStudy
from ..records.ledger import TrialRecord
from ..records.plan_score import PlanScore
from .cuttable import teacher_networks, trial_networks
from .plan_scorer import PlanScorer


def rebuilt_plan(
    study: OpenedStudy, folder: Path, plan: PlanScore, parent: TrialRecord | None
) -> tuple[nn.Module, ChannelPlan]:
    """Return what is pruned, cut to a plan and refitted but not trained, and the teacher's channels that it keeps.

    Args:
        study: The study.
        folder: Its files.
        plan: The plan.
        parent: The trial whose network it cuts; None: the teacher.
    """
    networks = teacher_networks(study, folder) if parent is None else trial_networks(study, folder, parent)
    scorer = PlanScorer(study, networks, plan.parent)
    kept: dict[str, tuple[int, ...]] = {}
    for name, own in networks.items():
        start = "" if len(networks) == 1 else f"{name}."
        cut_to = own.table.plan(scorer.own(name, plan.widths))
        channels = cut_to if own.saved is None else own.saved.channels(cut_to)
        kept |= {start + group: places for group, places in channels.kept.items()}
    generators = dict(study.generators) | scorer.networks_of(plan.widths)
    return study.joined(generators).cpu().eval(), ChannelPlan(kept)
