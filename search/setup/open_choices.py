"""Decisions on choices that a configuration leaves open: methods, steps, task, metric, ladder, discriminator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

from ...evaluators.features.catalog import AUTO, ENCODERS, choose_encoder
from ...evaluators.features.feature_maps import vgg_maps
from ...evaluators.quality.catalog import METRICS, MetricSet
from ...evaluators.quality.own_function import looks_like_metric
from ...gan_models.data.layouts import existing
from ...gan_models.data.selection import TooFewToSelect
from ...gan_models.data.spec import is_own
from ...gan_models.distillation.catalog import TERMS
from ...gan_models.files.errors import Refusals, UserError
from ...gan_models.files.user_code import absolute, check_callable, is_path, load_object, names_object
from ...gan_models.networks.catalog import find_builder
from ...gan_models.networks.specs import OutputSpec
from ...gan_models.networks.user_builders import named_arguments, needed
from ...gan_models.pruning.catalog import method_spec
from ...gan_models.tasks.catalog import TASKS, asked_task
from ...gan_models.tasks.task import Task, make_task
from ...gan_models.tasks.task_data import Splits, detect_task
from ...gan_models.training.recipe import Recipe
from ...spaces.recipes import recipe_settings
from ..config import StudyConfig
from ..configuration.sections import CALIBRATION_IMAGES, SELECTION, TEST, DataOptions
from ..strategy.early_stopping import default_reduction
from ..strategy.proposals import ladder_size
from .compatibility import fitted, sized
from .defaults import with_methods
from .kept_files import with_references
from .opened_profile import OpenedProfile
from .pruned_generators import BOTH_DIRECTIONS, pruned_network
from .weight_files import check_there, named_files

# Parameters of a user's own training function; see `search.trial.fine_tuning.OwnTraining`.
TRAINING_ARGUMENTS = ("generator", "teacher", "steps", "folder", "report", "data", "device", "seed")
SELECT_ON = SELECTION  # split on which trials of a new study are compared


def decided(
    config: StudyConfig, new: bool = True, refusals: Refusals | None = None
) -> tuple[StudyConfig, list[str], OutputSpec]:
    """Return the configuration with every open choice decided, notes for the user, and the generators' output.

    Args:
        config: The configuration as given, or as recorded.
        new: True to complete the task's settings; False if the study has a teacher, which was made with the recorded
            ones.
        refusals: Collects the errors that do not prevent further checks; the caller raises them. None: they are raised
            here.

    Raises:
        UserError: The data's layout implies no task, or Inception's weights are requested and missing.
    """
    seen, notes = refusals or Refusals(), list[str]()
    seen.passes(config.checked)
    with seen.kept():
        config = with_references(config, lambda kind, name: name if kind == "model" else absolute(name))
    config = replace(config, data=_absolute(config.data))
    with seen.kept():
        config, notes = with_methods(config)
        config.check_methods(by_path=True)
    weights = {name: path if names_object(str(path)) else path.absolute() for name, path in config.weight_files.items()}
    with seen.kept():
        config = _with_objective(config)
    metric, encoder_file, vgg = config.metric, None, ""
    if config.knows_metric:  # otherwise reported already
        with seen.kept():
            metric, encoder_file = choose_encoder(config.metric, weights)
    seen.passes(MetricSet, config.also_measure, weights, None, config.objective)  # raises an error that says what to do
    with seen.kept():
        vgg = _vgg(weights.get("vgg"))
    there = seen.passes(_check_data, config.data)
    try:
        find_builder(config.model)  # raises an error if there is no such model
        if not there:
            seen.end()
        layout = config.known_task() or detect_task(
            config.data, {one.kind for one in config.inputs.inputs}, config.seed
        )
        task = config.task or asked_task(config.task_settings, layout)
        config, told = _alone(config, task)
        if new:
            config, output, sizes = sized(config, task)
            told += sizes
        else:
            config, output = fitted(config, task)
    except UserError as error:
        seen.add(error)
        seen.passes(check_there, config)
        seen.end()
        raise
    if refusals is None:
        seen.end()
    if config.metric == AUTO and metric != next(iter(ENCODERS)) and not config.objective:
        where = "the bundled encoder" if metric == "shapes" else metric
        notes.append(f"no Inception weights are available: quality is fd[{metric}], a distance in {where}, not FID")
    inception = str(encoder_file.absolute()) if encoder_file and metric == "inception" else ""
    notes += told
    own_task = make_task(task, config.task_settings, config.seed)
    if own_task.reads_teacher and not config.teacher:
        raise UserError(
            f"the task {task} learns only from a teacher: got none; expected its weights. Try --teacher FILE"
        )
    check_recipe(config.recipe, config.search_recipe, own_task)
    notes += _with_own_training(config, own_task)
    judged = own_task.has_judge and not config.own_training
    if config.teacher and not config.teacher_discriminator and judged:
        notes.append(
            "no --teacher-discriminator: one is trained against the frozen teacher first, for "
            f"{config.teacher_steps:,} steps (--teacher-steps)"
        )
    settings = dict(config.task_settings)
    resolved = replace(
        config,
        task=task,
        metric=metric,
        inception_weights=inception,
        vgg_weights=vgg,
        weights={name: str(path) for name, path in weights.items() if name not in ("inception", "vgg")},
        task_settings=TASKS.find(task).load().complete(settings, output) if new else settings,
        ladder=config.ladder or ladder_size(config.trials, config.methods),
        reduction=default_reduction(config.trials) if config.reduction is None else config.reduction,
    )
    return replace(resolved, prune_network=pruned_network(resolved)), notes, output


def check_recipe(recipe: Recipe, searched: Sequence[str], task: Task) -> None:
    """Raise UserError if a recipe cannot train trials: it has an unknown term, or steps without any loss.

    Args:
        recipe: The study's recipe.
        searched: Settings of the recipe that the search chooses.
        task: The study's task.
    """
    for name in recipe.distillation:
        TERMS.find(name)
    recipe_settings(recipe, searched)  # raises an error for an unknown name
    judged = task.has_judge
    idle = [] if judged else [name for name in searched if name in ("distill_judge", "reconstruct_first")]
    if idle:
        raise UserError(
            f"--search-recipe {idle[0]} would change nothing: got the task {task.name}, whose loss has no "
            f"discriminator. Try omitting it"
        )
    alone = not task.has_reference and len(task.generator_names) == 1
    first = recipe.reconstruct_first > 0 or "reconstruct_first" in searched
    if first and alone and not recipe.distils:
        raise UserError(
            f"the task {task.name} has only an adversarial term: got reconstruct_first and no "
            "distillation; expected another term for the first steps. Try --distill 10, or --reconstruct-first 0"
        )


def with_calibration(config: StudyConfig) -> StudyConfig:
    """Return a new study with its number of calibration inputs decided.

    Raises:
        UserError: The number is 0, and a method needs calibration inputs.
    """
    if config.calibration_images is not None:
        if not config.calibration_images and (needing := [m for m in config.methods if method_spec(m).calibrated]):
            raise UserError(
                f"method {needing[0]} scores plans on calibration inputs: got --calibration-images 0; expected some. "
                f"Try {CALIBRATION_IMAGES}"
            )
        return config
    return replace(config, calibration_images=CALIBRATION_IMAGES)


def with_selection(config: StudyConfig, output: OutputSpec) -> tuple[StudyConfig, Splits, list[str]]:
    """Return a new study with the split of its trials' comparison decided, its images, and notes for the user.

    If too few training images can be spared, trials are compared on the test split.

    Args:
        config: The configuration, with its task decided.
        output: The generators' output.

    Raises:
        UserError: The data cannot be read.
    """
    config = replace(config, select_on=config.select_on or SELECT_ON)
    splits = Splits(config.data_spec(output))
    try:
        splits.open(config.scored_on)
    except TooFewToSelect as few:
        reason = str(few).partition(". Try")[0]
        note = f"trials are compared on the test images, as by --select-on test: {reason}"
        return replace(config, select_on=TEST), splits.undivided(), [note]
    return config, splits, []


def _alone(config: StudyConfig, task: str) -> tuple[StudyConfig, list[str]]:
    """Return the configuration with the generator that is trained alone, if only one of several is given; and a note.

    Raises:
        UserError: Other options contradict it.
    """
    settings = dict(config.task_settings)
    names = make_task(task, settings, config.seed).generator_names
    config = _in_direction(config, names)
    given = list(named_files(config.teacher, names))
    if len(names) < 2 or len(given) != 1:
        return config, []
    only = given[0] or config.prune_network or names[0]
    alone = TASKS.find(task).load().alone(settings, only)
    if alone.keys() <= settings.keys():  # the user named the generators to train
        return config, []
    if only == BOTH_DIRECTIONS:
        files = ",".join(f"{name}=FILE" for name in names)
        raise UserError(f"--prune-direction both needs both generators: --teacher {files}")
    if not config.recipe.distils:
        raise UserError("one generator alone has no cycle to learn from. Try --distill above 0, or both generators")
    return replace(config, task_settings=alone), [f"one generator is given: {only} is distilled, without a cycle"]


def _in_direction(config: StudyConfig, names: tuple[str, ...]) -> StudyConfig:
    """Return the configuration with the generator of `direction` as the pruned one, if the task has it.

    Raises:
        UserError: Another generator is to be pruned.
    """
    default = next(f.default for f in fields(DataOptions) if f.name == "direction")
    if config.direction not in names or config.direction == default:
        return config
    if config.prune_network not in ("", config.direction):
        raise UserError(
            f"--direction {config.direction} and --prune-direction {config.prune_network} contradict each other: "
            f"the task has the generators {', '.join(names)}. Try --prune-direction alone."
        )
    return replace(config, prune_network=config.direction)


def _with_objective(config: StudyConfig) -> StudyConfig:
    """Return the configuration with its objective's direction; a metric that is given as `metric` is the objective.

    Raises:
        UserError: Two metrics are named, or a metric has no direction.
    """
    named = config.metric
    by_path = is_path(named) and looks_like_metric(load_object(named, "metric"))
    if named != AUTO and (by_path or (named in METRICS and named not in ENCODERS)):
        if config.objective not in ("", named):
            raise UserError(
                f"two metrics are named: got --metric {named} and --objective {config.objective}; expected one. Try an "
                "encoder for --metric, and --also-measure for the other metric"
            )
        config = replace(config, metric=AUTO, objective=named)
    if config.objective == next(iter(METRICS.own)):  # the quality if there is no objective
        config = replace(config, objective="")
    lower = METRICS.find(config.objective).lower_is_better if config.objective else True
    return replace(config, maximizes=not lower)


def _with_own_training(config: StudyConfig, task: Task) -> list[str]:
    """Return a note on the options without effect if a user's own function trains.

    Raises:
        UserError: The function cannot train this study's generator.
    """
    reference = config.own_training
    if not reference:
        return []
    found = load_object(reference, "training")
    check_callable("training", reference, found, "trains a generator in place")
    expected = "fit(generator, report) and any of teacher, steps, folder, data, device, seed"
    names, more = named_arguments(found), needed(found, dict.fromkeys(TRAINING_ARGUMENTS))
    if more or not {"generator", "report"} <= {*names}:
        raise UserError(f"training {reference!r} takes other arguments: got ({', '.join(names)}); expected {expected}")
    if not config.teacher:
        raise UserError("--train needs a teacher, because ganprune trains nothing: got none; expected --teacher FILE")
    if len(task.generator_names) > 1:
        raise UserError(
            f"--train takes one generator: got a task of {' and '.join(task.generator_names)}; expected one. Try "
            "--task paired or unconditional"
        )
    trained = [name for name in config.methods if method_spec(name).trains]
    if trained:
        raise UserError(
            f"--train excludes methods that train: got --methods {','.join(trained)}; expected methods that "
            "do not train. Try --methods uniform,magnitude"
        )
    plain = StudyConfig(
        name="s", model=config.model, data=config.data, budgets=config.budgets, input_shape=config.input_shape
    )
    changed = [f.name for f in fields(config.recipe) if getattr(config.recipe, f.name) != getattr(plain.recipe, f.name)]
    changed += ["health"] if config.health != plain.health else []
    return [f"{', '.join(changed)} of the recipe have no effect: {reference} trains"] if changed else []


def _check_data(data: str) -> None:
    """Raise UserError if a folder of data does not exist; a user's own code is checked when it is loaded."""
    if not data.startswith("builtin:") and not is_own(data):
        existing(data)


def _absolute(data: str) -> str:
    """Return a folder's absolute path, because workers and later commands start in other folders."""
    path = Path(data).expanduser()
    return str(path.absolute()) if path.exists() else data


def _vgg(weights: Path | None) -> str:
    """Return the path of VGG-16's weights. Raises UserError if they belong to another network."""
    if weights is not None:
        vgg_maps(weights)
    return str(weights or "")


def with_fast_multiple(config: StudyConfig, profiles: Mapping[str, OpenedProfile]) -> tuple[StudyConfig, list[str]]:
    """Return a configuration with the multiple of channels at which the profiled device is fast, and a note.

    Args:
        config: One whose multiple is open.
        profiles: Those of its budgets, by cost.

    Raises:
        UserError: No budget is of a profiled device.
    """
    if not profiles:
        raise UserError(
            f"--channel-multiple auto needs a profile of the device: got a budget of {', '.join(config.budgets)}; "
            "expected one in ms. Try --budget 20ms"
        )
    multiple, measured = max(profile.fast_multiple() for profile in profiles.values())
    why = measured or "no layer is wide enough to say more"
    found = "no multiple is worth rounding up to" if multiple == 1 else f"widths are multiples of {multiple}"
    return replace(config, channel_multiple=multiple), [f"--channel-multiple auto: {found} ({why})"]
