"""What a study will search, known before anything is trained: groups, costs, budgets, proposals."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...gan_models.checkpoints.checkpoint import load_into
from ...gan_models.costs.combined_budgets import Bound
from ...gan_models.costs.cost_form import LATENCY, CostForm, CostModel
from ...gan_models.data.dataset import open_split
from ...gan_models.files.errors import UserError
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.networks.catalog import build
from ...gan_models.quantization.settings import FULL_BITS
from ...gan_models.tasks.task import make_task
from ...spaces.budget import Budget, BudgetError, describe
from ...spaces.joint_widths import JointWidths
from ...spaces.widths import WidthSpace, select
from ..config import StudyConfig
from ..latency.predictor import OpenedProfile, latency_model, open_latency, opened, wants_latency, with_own_profile
from ..latency.profile import LatencyProfile
from ..preparations.opened_study import groups_of
from ..preparations.teacher import files_by_network, resolve
from ..strategy.proposals import SpaceProposals
from .defaults import within_memory
from .generator_checks import check_generator
from .pruned_generators import Side, cheapest_plan, dense_costs, sides_of

FEW_IMAGES = 50  # below, even the order of two generators is mostly chance


@dataclass(frozen=True)
class StudyPlan:
    """A study's search space.

    Attributes:
        config: Resolved configuration.
        groups: Of the generator that is pruned.
        dense, cheapest: Cost name -> cost of the full network, and of the smallest plan.
        budgets: Every budget with its bound in the cost's unit; the first one is the objective.
        sides: Where both directions are pruned, what belongs to each.
        latency: The device's latency profile, where a budget is in ms.
        notes: What a user should be told.
        bits: What trials may have: those of which some plan is within the budget.
        images: Split -> images in it.
    """

    config: StudyConfig
    groups: ChannelGroups
    dense: dict[str, float]
    cheapest: dict[str, float]
    budgets: tuple[tuple[Budget, float], ...]
    notes: tuple[str, ...] = ()
    sides: tuple[Side, ...] = ()
    latency: OpenedProfile | None = None
    bits: tuple[int, ...] = (32,)
    images: Mapping[str, int] = field(default_factory=dict)

    @property
    def cost(self) -> str:
        """Name of the cost objective."""
        return self.budgets[0][0].cost

    @property
    def limit(self) -> float:
        """The first budget's bound; the sum of both where both directions are pruned."""
        return sum(side.limit for side in self.sides) or self.budgets[0][1]

    def kept_in(self, folder: Path) -> StudyPlan:
        """The plan with a generator's own file and the latency profile copied to the study's folder."""
        config = with_own_source(self.config, folder)
        if self.latency is not None:
            config = with_own_profile(config, self.latency.profile, folder)
        return replace(self, config=config)

    def proposals(self) -> SpaceProposals:
        """The spaces of all methods."""
        config = self.config
        form, multiple = self.groups.form, config.channel_multiple
        in_ms = self.latency is not None and self.cost == LATENCY
        if self.sides:
            parts = tuple((s.name, s.groups.form, s.share, s.latency if in_ms else None) for s in self.sides)
            widths = JointWidths(form, self.cost, multiple=multiple, ties=config.tie, sides=parts)
        else:
            model = self.latency.of(self.groups) if in_ms and self.latency is not None else None
            bounds = bounds_of(self.budgets, form, latency_model(self.latency, self.groups, ()))
            widths = WidthSpace(form, self.cost, multiple=multiple, ties=config.tie, model=model, bounds=bounds)
        return SpaceProposals(
            widths,
            self.limit,
            config.methods,
            config.ladder,
            fixed_target=config.mode == "target",
            bits=self.bits,
            per_channel=config.quantisation.per_channel,
            fixed=config.method_settings,
        )


def limits(
    config: StudyConfig, groups: ChannelGroups, latency: CostModel | None = None, bits: tuple[int, ...] = (FULL_BITS,)
) -> tuple[tuple[Budget, float], ...]:
    """Every budget of one generator with its bound.

    Args:
        config: Resolved configuration.
        groups: Of the generator.
        latency: Prices plans in ms, where a budget is in ms.
        bits: What trials may have; a budget in ms must be met in the fastest of them.

    Raises:
        BudgetError: Below the smallest plan or not below the dense network, or of a network that is not pruned.
    """
    dense = dense_costs(groups, latency)
    cheapest = cheapest_plan(config, groups, bits, latency)
    found = []
    for budget in config.parsed_budgets:
        if budget.network not in (None, config.prune_network):
            raise BudgetError(f"budget {budget.text} is for {budget.network}; this study prunes {config.prune_network}")
        found.append((budget, budget.resolve(dense, cheapest)))
    return tuple(found)


def bounds_of(budgets: Sequence[tuple[Budget, float]], form: CostForm, latency: CostModel | None) -> tuple[Bound, ...]:
    """What every plan of one generator has to meet beside its target: all budgets after the first.

    Args:
        budgets: As `limits` gives them.
        form: Of the generator.
        latency: Prices plans in ms.
    """
    models = {LATENCY: latency or form}
    return tuple(Bound(budget.cost, limit, models.get(budget.cost, form)) for budget, limit in budgets[1:])


def plan_study(
    config: StudyConfig,
    check_teacher: bool = True,
    find_profile: Callable[[StudyConfig], LatencyProfile] | None = None,
    sharing: Callable[[str], int] | None = None,
) -> StudyPlan:
    """Decides what was left open and checks the whole configuration against network and data; trains nothing.

    Args:
        config: As given, or as recorded.
        check_teacher: Whether the teacher's weights must be at hand; not where the study has its own copy.
        find_profile: Gives the latency profile for a budget in ms where the configuration names none of its own.
        sharing: Of a new study: trials that will share the memory of a kind of device (`cpu`, `cuda`; 0: not known),
            so that what does not fit is left out. None for a study that has its methods.

    Raises:
        ValueError: One line: what was given, what is allowed, what to do.
        NotTraceable: The network cannot be followed.
    """
    open_methods = not config.methods
    config, notes = resolve(config)
    # a wrong folder must not cost a study's name
    images = {split: len(open_split(config.data_spec(), split)) for split in ("train", "test")}
    if check_teacher:
        check_weights(config)
    if sharing is not None:
        check_generator(config)
    groups = groups_of(config)
    select(groups.names, config.tie, ())  # raises where a pattern matches nothing
    latency = _latency(config, find_profile)
    offered = config.bits_offered() if latency is None else latency.bits(config)
    sides = sides_of(config, groups, latency)
    model = latency_model(latency, groups, sides)
    budgets = tuple((side.budget, side.limit) for side in sides) or limits(config, groups, model, offered)
    if latency is not None:
        notes += latency_notes(latency, config.channel_multiple)
    measured = min(images["test"], config.n_eval or images["test"])
    if measured < FEW_IMAGES:
        cure = "--n-test" if config.data.startswith("builtin:") else "more test images"
        notes.append(
            f"quality is measured on {measured} test images, which says little: give {cure}, {FEW_IMAGES} or more"
        )
    notes += [budget.note for budget, _ in budgets if budget.note]
    parts = [(side.groups, ((side.budget, side.limit),), side.latency) for side in sides] or [(groups, budgets, model)]
    if sharing is not None:
        config, left_out = within_memory(config, [part for part, *_ in parts], open_methods, sharing)
        notes += left_out
    bits = tuple(each for each in offered if all(_within(config, each, *part) for part in parts))
    if not bits:
        texts = " and ".join(budget.text for budget, _ in budgets)
        raise BudgetError(f"no plan meets {texts} at once, in {' or '.join(map(str, offered))} bits: raise one of them")
    if config.quantisation.scheme == "published" and 8 not in bits:
        raise UserError("the published quantiser is for trials of 8 bits, and none has them: give it --bits 8 or 32,8")
    if bits != offered:
        texts = " and ".join(dict.fromkeys(budget.text for budget, _ in budgets))
        notes.append(f"no plan of 32 bits is within {texts}: all trials have {bits[0]} bits")
    dense, cheapest = dense_costs(groups, model), cheapest_plan(config, groups, offered, model)
    plan = StudyPlan(config, groups, dense, cheapest, budgets, tuple(notes), sides, latency, bits, images)
    highest, first = plan.proposals().highest, budgets[0][0]
    if highest < plan.limit:
        others = " and ".join(budget.text for budget, _ in budgets[1:])
        left = f"plans within {others} cost at most {describe(highest, first.cost)} of the {first.text}"
        plan = replace(plan, notes=(*notes, f"{left}: targets are drawn up to that"))
    return plan


def _within(
    config: StudyConfig,
    bits: int,
    groups: ChannelGroups,
    budgets: Sequence[tuple[Budget, float]],
    form: CostModel | None,
) -> bool:
    cheapest = cheapest_plan(config, groups, (bits,), form)
    return all(cheapest[budget.cost] <= limit for budget, limit in budgets)


def _latency(config: StudyConfig, find_profile: Callable[[StudyConfig], LatencyProfile] | None) -> OpenedProfile | None:
    if find_profile is None or not wants_latency(config) or config.latency_sha256:
        return open_latency(config)
    return opened(find_profile(config), config.model, dict(config.model_args), config.example_shape())


def latency_notes(latency: OpenedProfile, multiple: int) -> list[str]:
    """What a user should know of the predictor that budgets in ms are met with."""
    profile = latency.profile
    notes = [
        f"latency is predicted for {profile.device.describe()} (profile {profile.device.id}): "
        f"{profile.whole.accuracy.describe()}; finalists are measured after the search"
    ]
    if profile.multiple > 1 and multiple % profile.multiple:
        notes.append(
            f"this device is as fast at widths rounded up to multiples of {profile.multiple}: "
            f"--channel-multiple {profile.multiple} gives more channels in the same time"
        )
    return notes


def check_weights(config: StudyConfig) -> None:
    """Loads the weights that were given and lets go of them: a wrong file must not cost a study's name either.

    Raises:
        ValueError: A file that is not there, holds code, or is of another network.
    """
    task = make_task(config.task, config.task_settings, config.seed)
    names = task.generator_names
    for path in files_by_network(config.teacher, names, "--teacher").values():
        load_into(build(config.model, config.model_args), path)
    judges = files_by_network(config.teacher_discriminator, names, "--teacher-discriminator")
    for name, path in judges.items():
        load_into(task.make_discriminators(config.seed)[name], path)


def with_own_source(config: StudyConfig, folder: Path) -> StudyConfig:
    """A generator from a file is copied to the study's folder, so that workers and a resume have what was searched.

    Raises:
        ValueError: The file is not there.
    """
    path, _, function = config.model.rpartition(":")
    if not path.endswith(".py"):
        return config
    source = Path(path).expanduser()
    if not source.is_file():
        raise UserError(f"model {config.model!r}: {source} is not a file")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:8]
    copy = folder / f"{source.stem}-{digest}.py"
    folder.mkdir(parents=True, exist_ok=True)
    if not copy.is_file():
        shutil.copyfile(source, copy)
    return replace(config, model=f"{copy}:{function}")
