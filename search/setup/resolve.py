"""Resolution of a configuration to a study: all decided, checked and priced once, without any training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ...gan_models.costs.prices import Prices
from ...gan_models.cut_checks.group_check import GroupCheck
from ...gan_models.data.dataset import notes_of
from ...gan_models.files.errors import Refusals, UserError
from ...gan_models.files.meta_device import build_for_shapes
from ...gan_models.files.texts.number_text import counted
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.groups.discovery import find_groups
from ...gan_models.tracing.unpruned_reasons import UnprunedReason
from ...gan_models.training.loop import best_device
from ...spaces.budget import BudgetError, Budgets, PricedBudget, describe
from ...spaces.widths import select
from ..checks.plan_check import check_plans
from ..config import SPLIT_LABELS, StudyConfig
from ..configuration.flag_text import AUTO_MULTIPLE
from ..resolved_study import DataSummary, GeneratorBudget, ResolvedStudy
from ..strategy.method_shares import untried
from ..strategy.proposals import ladder_size
from .compatibility import check_discriminators
from .defaults import within_memory
from .generator_checks import check_generator
from .open_choices import decided, with_calibration, with_fast_multiple, with_selection
from .pruned_generators import one_network, own_entries
from .search_space import SearchSpace
from .study_parts import FindProfile, StudyParts
from .weight_files import check_weights

MIN_EVAL_IMAGES = 50  # below this number, even the order of two generators is mostly chance
MAX_TRIALS_TRIED = 1000  # upper bound of the search for a number of trials that suffices for all methods
MIN_COMPARED = 2  # a covariance needs two images


def resolve(
    config: StudyConfig,
    check_teacher: bool = True,
    find_profile: FindProfile | None = None,
    sharing: Callable[[str], int] | None = None,
    pinned: Mapping[str, str] | None = None,
) -> tuple[ResolvedStudy, StudyParts]:
    """Decide all open choices, check the configuration against network and data, and price its budgets.

    Args:
        config: The configuration as given, or as recorded.
        check_teacher: True to check the teacher's weights; False if the study has its own copy.
        find_profile: Function that finds a profile of this machine for a profiled cost, if the configuration names no
            copy.
        sharing: For a new study, number of trials that will share the memory of a kind of device (`cpu`, `cuda`; 0:
            unknown); methods that do not fit are omitted. None for a study whose methods are decided.
        pinned: Groups that a decided study leaves unpruned -> the reason.

    Returns:
        The study, and its opened parts.

    Raises:
        UserError: An option or file is invalid; one line with the given and the expected value.
        NotTraceable: The network cannot be followed.
    """
    open_methods, own_ladder, refusals = not config.methods, config.ladder, Refusals()
    refusals.passes(best_device, config.device)
    try:
        config, notes, output = decided(config, new=check_teacher or sharing is not None, refusals=refusals)
    except UserError as error:
        refusals.add(error)
        refusals.end()
        raise
    splits = None
    if sharing is not None:
        with refusals.kept():
            config = with_calibration(config)
        with refusals.kept():
            config, splits, told = with_selection(config, output)
            notes += told
    parts = StudyParts(config, find_profile, output=output, pinned=pinned, splits=splits)
    with refusals.kept():
        images = {name: len(parts.splits.open(name)) for name in dict.fromkeys(("train", config.scored_on, "test"))}
        data_notes = [*notes_of(*map(parts.splits.open, images)), *parts.splits.examined()]
        for name in dict.fromkeys((config.scored_on, "test")):
            data_notes += _data_notes(config, name, images[name])
    loads = not check_teacher or refusals.passes(check_weights, config)
    if sharing is not None:
        refusals.passes(check_discriminators, config, parts.output)
        if not loads or refusals.passes(check_generator, config):
            with refusals.kept():
                broken, left_whole, checks = _broken_groups(parts)
                parts, notes = StudyParts(config, find_profile, parts, pinned=broken), notes + left_whole
                parts.checks = checks
    if config.channel_multiple == AUTO_MULTIPLE:
        with refusals.kept():
            config, told = with_fast_multiple(config, parts.profiles)
            notes += told
        config = replace(config, channel_multiple=config.channel_multiple or 1)  # 1 if that was refused
        parts = StudyParts(config, find_profile, like=parts)
    with refusals.kept():
        select(parts.groups.names, config.tie, ())  # raises an error if a pattern matches nothing
        priced = _priced(parts)
    refusals.end()
    budgets, generators = priced.budgets, priced.generators
    for profile in parts.profiles.values():
        notes += profile.notes(config)
    notes += data_notes
    notes += [each.budget.note for each in budgets if each.budget.note]
    if sharing is not None:
        config, left_out = within_memory(config, [part.groups for part in priced.parts], open_methods, sharing)
        parts, notes = StudyParts(config, find_profile, like=parts), notes + left_out
    bits = _bits_within(parts, priced)
    texts = list(dict.fromkeys(each.budget.text for each in budgets))
    if bits != parts.bits_offered:
        notes.append(f"no plan of 32 bits is within {' and '.join(texts)}: all trials have {bits[0]} bits")
    study = ResolvedStudy(
        config=config,
        budgets=budgets,
        dense=parts.prices.dense(),
        cheapest=_cheapest(config, parts.prices, parts.bits_offered),
        highest=0.0,
        groups=parts.table,
        data=DataSummary(images, parts.data_sha256),
        encoder=f"{parts.encoder.name} {parts.encoder.sha256[:12]}",
        generators=generators,
        output=parts.output,
        bits=bits,
    )
    proposals = SearchSpace.of(study, parts).proposals()
    highest = proposals.highest
    if highest < study.limit:
        left = f"plans within {' and '.join(texts[1:])} cost at most {describe(highest, study.cost)} of the {texts[0]}"
        notes.append(f"{left}: targets are sampled up to that")
    if sharing is not None:
        notes += _untried_notes(config, [method for method, _ in proposals.ladder()], own_ladder)
    return replace(study, highest=highest, notes=tuple(notes)), parts


def _untried_notes(config: StudyConfig, ladder: Sequence[str], own_ladder: int) -> list[str]:
    """Return a note if there are too few trials for every method; `ladder` is the method of each of its plans."""
    shares = {
        name: share for name, share in config.shares.items() if name in config.methods
    }  # others are refused later
    left = untried(config.methods, ladder, shares, config.trials)
    if not left:
        return []

    def all_tried(trials: int) -> bool:
        plans = own_ladder or ladder_size(trials, config.methods)
        return not untried(config.methods, [ladder[i % len(ladder)] for i in range(plans)], shares, trials)

    enough = next(filter(all_tried, range(config.trials + 1, MAX_TRIALS_TRIED)), None)
    cure = "name fewer methods" if enough is None else f"give --trials {enough}, or name fewer methods"
    plans = min(len(ladder), config.trials)
    uniform = f"the ladder takes {plans} of them, of {' and '.join(dict.fromkeys(ladder))}"
    return [
        f"{counted(config.trials, 'trial is', 'trials are')} too few to try {' and '.join(left)}: {uniform}; {cure}"
    ]


def _broken_groups(
    parts: StudyParts,
) -> tuple[dict[str, UnprunedReason | str], list[str], tuple[GroupCheck, ...]]:
    """Cut each pruned generator to random uneven plans, and find the groups that fail.

    Args:
        parts: The study's parts, with its groups.

    Returns:
        Groups that must be left unpruned -> the reason, notes for the user, and the checks.

    Raises:
        UserError: A generator does not run, the cost of a plan differs from its prediction, or no group is left.
    """
    config, pinned, notes = parts.config, dict[str, UnprunedReason | str](), list[str]()
    checked: dict[tuple[str, ...], GroupCheck] = {}
    for name in parts.names:
        groups = parts.own_groups.get(name, parts.groups)
        start = f"{name}." if parts.own_groups else ""
        if groups.names not in checked:
            checked[groups.names] = _check_one(parts, start, groups)
        found = checked[groups.names]
        pinned |= {f"{start}{group}": reason for group, reason in found.pinned.items()}
    for found in checked.values():
        notes += [f"{group} is not pruned: {reason}" for group, reason in found.pinned.items()]
        if found.precision.refused:
            notes.append(f"{config.model}: cut and gated networks are compared in {found.precision.text}")
        if not found.groups.groups:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in found.pinned.items())
            raise UserError(f"nothing in {config.model} can be pruned: {reasons}")
    return pinned, notes, tuple(checked.values())


def _check_one(parts: StudyParts, start: str, groups: ChannelGroups) -> GroupCheck:
    """Check one generator, whose groups in the study have its name as prefix."""
    config = parts.config
    whole = own_entries(start.removesuffix("."), parts.left_out) if start else parts.left_out

    def find(pinned: Mapping[str, UnprunedReason]) -> ChannelGroups:
        network = build_for_shapes(lambda: one_network(config))
        return find_groups(network, config.inputs.examples(), {**whole, **pinned})

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return check_plans(config.model, one_network(config), config.inputs, groups, find)


@dataclass(frozen=True)
class _Part:
    """A generator with its budgets and the prices of its plans."""

    groups: ChannelGroups
    budgets: tuple[PricedBudget, ...]
    prices: Prices


@dataclass(frozen=True)
class _Priced:
    """A study's budgets with their bounds, per generator."""

    budgets: tuple[PricedBudget, ...]
    generators: tuple[GeneratorBudget, ...]
    parts: tuple[_Part, ...]


def _priced(parts: StudyParts) -> _Priced:
    """Return every budget with its bound.

    Raises:
        BudgetError: A budget is below the smallest plan, not below the dense network, or for a network that is not
            pruned.
    """
    config = parts.config
    if len(parts.names) > 1:
        return _priced_apart(parts)
    budgets = _priced_in(parts, parts.prices, config.stated_budgets, config.prune_network)
    return _Priced(budgets, (), (_Part(parts.groups, budgets, parts.prices),))


def _priced_apart(parts: StudyParts) -> _Priced:
    """Return one budget per generator, all in one cost."""
    stated = parts.config.stated_budgets
    given = stated.by_network(parts.names)
    found = []
    for name in parts.names:
        prices = parts.own_prices[name]
        own = _priced_in(parts, prices, replace(stated, stated=(given[name],)), name)
        found.append((name, _Part(parts.own_groups[name], own, prices)))
    total = sum(part.budgets[0].limit for _, part in found)
    generators = tuple(
        GeneratorBudget(
            name=name,
            budget=part.budgets[0].budget,
            limit=part.budgets[0].limit,
            share=part.budgets[0].limit / total,
            sizes=part.groups.sizes,
        )
        for name, part in found
    )
    budgets = tuple(part.budgets[0] for _, part in found)
    return _Priced(budgets, generators, tuple(part for _, part in found))


def _priced_in(parts: StudyParts, prices: Prices, budgets: Budgets, name: str) -> tuple[PricedBudget, ...]:
    """Return budgets with their bounds for one generator."""
    return budgets.priced(prices.dense(), _cheapest(parts.config, prices, parts.bits_offered), name)


def _cheapest(config: StudyConfig, prices: Prices, bits: tuple[int, ...]) -> dict[str, float]:
    """Return cost name -> cost of the smallest plan, in the cheapest of these bits."""
    return prices.cheapest(1, config.channel_multiple, bits, config.quantization_settings.per_channel)


def _bits_within(parts: StudyParts, priced: _Priced) -> tuple[int, ...]:
    """Return the bits in which some plan is within every budget.

    Raises:
        BudgetError: There are no such bits.
        UserError: The published quantizer is requested, and no trial has 8 bits.
    """
    config, offered = parts.config, parts.bits_offered
    bits = tuple(each for each in offered if all(_within(config, each, part) for part in priced.parts))
    if not bits:
        texts = " and ".join(each.budget.text for each in priced.budgets)
        raise BudgetError(f"no plan meets {texts} at once, in {' or '.join(map(str, offered))} bits. Try a larger one")
    if config.quantization_settings.scheme == "published" and 8 not in bits:
        raise UserError("the published quantizer needs trials of 8 bits: got none. Try --bits 8 or 32,8")
    return bits


def _within(config: StudyConfig, bits: int, part: _Part) -> bool:
    cheapest = _cheapest(config, part.prices, (bits,))
    return all(cheapest[priced.budget.cost] <= priced.limit for priced in part.budgets)


def _data_notes(config: StudyConfig, split: str, images: int) -> list[str]:
    measured, builtin, kind = (
        min(images, config.n_eval or images),
        config.data.startswith("builtin:"),
        SPLIT_LABELS[split],
    )
    if measured < MIN_COMPARED:
        limited = 0 < config.n_eval < MIN_COMPARED
        cure = "a larger --n-eval" if limited else "a larger --n-test" if builtin else "a folder with more of them"
        raise UserError(f"too few {kind} images: got {measured}; a distance needs {MIN_COMPARED} or more. Try {cure}.")
    if measured >= MIN_EVAL_IMAGES:
        return []
    cure = "--n-test" if builtin else f"more {kind} images"
    return [
        f"quality is measured on {measured} {kind} images, which are too few for reliable numbers. Try {cure}, "
        f"{MIN_EVAL_IMAGES} or more"
    ]
