"""Tasks by name: what a study's `task` may be. Imports no torch.

Another package adds one by an entry point of the group `ganprune.tasks` that is a `TaskSpec`; a user's own class is
named by path, `package.module:Name` or `file.py:Name`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..data.spec import BUILTIN, LATENTS, SHAPES, STRIPES
from ..files.errors import UserError
from ..files.open_table import OpenTable
from ..files.user_code import is_path, load_named


@dataclass(frozen=True)
class TaskSpec:
    """A task as the catalog knows it, without importing it.

    Attributes:
        implementation: "module:Class"; a leading dot is relative to this folder. The class is a `Task`.
        layout: How its data lie on disk, for messages.
        builtin: The built-in sets that it can read.
        note: One line for tables.
        catch_all: A folder of any other task has its layout, too; it is offered one that no other task knows.
        particular: Its layout is a particular kind of other tasks'; it is offered a folder before them.
        asked_by: Settings that say how its data are read, and so ask for the task: data that lie as another task of
            ours reads them are read by this one.
        kinds: Kinds of inputs that a generator must have for this task to be chosen by the data's layout; empty: any.
        item_names: Names in the items of a user's own data that mean this task; empty: it is asked for by name.
    """

    implementation: str
    layout: str
    builtin: tuple[str, ...] = ()
    note: str = ""
    catch_all: bool = False
    particular: bool = False
    asked_by: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    item_names: tuple[str, ...] = ()

    def load(self) -> Any:
        """Return the class, a `task.Task`, with the defaults of what it does not say; this imports torch."""
        from .task_parts import with_defaults

        return with_defaults(load_named(self.implementation, "task", __package__))


# Methods of a `task.Task`, but for those that read folders: items of a user's own data need none.
NEEDED_ATTRIBUTES = (
    "from_json", "settings_json", "fit", "complete", "alone", "n_inputs", "n_reals", "make_discriminators", "inputs",
    "reference", "reals", "with_reals", "columns", "generate", "judged", "generator_losses", "discriminator_loss",
    "state", "load_state",
)  # fmt: skip


def _adopted(reference: str, found: Any) -> TaskSpec:
    """Return the row of a class that a user named by path."""
    lacking = [name for name in NEEDED_ATTRIBUTES if not hasattr(found, name)]
    if not isinstance(found, type) or lacking:
        raise UserError(
            f"task {reference} is {type(found).__name__} {getattr(found, '__name__', '')!r}: expected a class like "
            f"gan_models.tasks.paired:PairedTask; it lacks {', '.join(lacking) or 'nothing but that'}. Try a subclass "
            "of ganprune.gan_models.tasks.single_generator:SingleGenerator"
        )
    return TaskSpec(reference, str(getattr(found, "layout", "its own layout")), BUILTIN)


_LOW_HIGH = "lr/ hr/ of each split, or single images"
_RESTORATION = ".restoration.super_resolution"
_SAME_SIZE_TASK = "super_resolution at scale 1"
RESTORATION_TASK = "super_resolution"  # what networks do that are known by their weights, at scale 1 and above
_DEGRADATION_SETTINGS = ("scale", "degrade", "degradation")

# The order in which a built-in set, or a folder, is offered to the tasks; see `in_detection_order`.
TASKS: OpenTable[TaskSpec] = OpenTable(
    "task",
    {
        "unpaired": TaskSpec(
            ".unpaired:UnpairedTask",
            "trainA/ trainB/ testA/ testB/ or A/ B/",
            (STRIPES,),
            "CycleGAN",
            item_names=("A", "B"),
        ),
        "paired": TaskSpec(
            ".paired:PairedTask",
            "train/ and test/ (or val/) with A|B side by side, or with a folder per input and target/",
            (SHAPES,),
            "pix2pix",
            item_names=("input", "target"),
        ),
        "label_to_image": TaskSpec(
            ".label_maps.label_to_image:LabelToImageTask",
            "train/ and test/ with label/, target/ and, for edges, instance/ or edges/",
            (SHAPES,),
            "SPADE and pix2pixHD",
            asked_by=("weight_features",),
        ),
        "class_conditional": TaskSpec(
            ".conditional.class_conditional:ClassConditionalTask",
            "folders of classes such as cat/ dog/, CIFAR-10's binary archive, or MNIST's IDX files",
            (SHAPES,),
            "projection discriminator",
            catch_all=True,
            kinds=("latent", "label"),
            item_names=("target", "label"),
        ),
        "unconditional": TaskSpec(
            ".unconditional:UnconditionalTask",
            "a folder of images, CIFAR-10's binary archive, or MNIST's IDX files",
            (SHAPES,),
            "SNGAN",
            catch_all=True,
            item_names=("target",),
        ),
        "style_based": TaskSpec(
            ".style_based.style_based_task:StyleBasedTask",
            "a folder of images, CIFAR-10's binary archive, or MNIST's IDX files",
            (SHAPES,),
            "StyleGAN2: R1 and path-length terms",
            asked_by=("weight_r1", "weight_path_length", "regularized"),
        ),
        "super_resolution": TaskSpec(
            f"{_RESTORATION}:SuperResolutionTask",
            _LOW_HIGH,
            (SHAPES,),
            "Real-ESRGAN",
            particular=True,
            asked_by=_DEGRADATION_SETTINGS,
            item_names=("lr", "hr"),
        ),
        "denoise": TaskSpec(
            f"{_RESTORATION}:DenoiseTask", _LOW_HIGH, (SHAPES,), _SAME_SIZE_TASK, asked_by=_DEGRADATION_SETTINGS
        ),
        "deblur": TaskSpec(
            f"{_RESTORATION}:DeblurTask", _LOW_HIGH, (SHAPES,), _SAME_SIZE_TASK, asked_by=_DEGRADATION_SETTINGS
        ),
        "colorize": TaskSpec(
            f"{_RESTORATION}:ColorizeTask", _LOW_HIGH, (SHAPES,), _SAME_SIZE_TASK, asked_by=_DEGRADATION_SETTINGS
        ),
        "stylize": TaskSpec(
            ".stylization.stylize:StylizeTask",
            "trainA/ trainB/ testA/ testB/ or A/ B/",
            (STRIPES,),
            "CartoonGAN: photographs A, drawings B",
            asked_by=("weight_edges", "weight_content", "weight_gram", "weight_color"),
        ),
        "inpaint": TaskSpec(
            ".inpainting.inpaint:InpaintTask",
            "a folder of images, whose holes are drawn or read from a folder of masks",
            (SHAPES,),
            "free-form inpainting",
            catch_all=True,
            asked_by=("masks", "weight_holes", "weight_known"),
            kinds=("image", "mask"),
        ),
        "distill": TaskSpec(
            ".unlabeled.distillation_task:DistillationTask",
            "a folder of images, without labels",
            (SHAPES, LATENTS),
            "a teacher alone: its outputs are the targets",
        ),
    },
    group="ganprune.tasks",
    row_type=TaskSpec,
    adopt=_adopted,
)


def in_detection_order(kinds: Collection[str] = ()) -> Iterator[tuple[str, TaskSpec]]:
    """Yield the tasks in the order in which a folder is offered to them.

    Particular layouts come first, then ours, then other packages', each imported when its turn comes, and last what
    reads any folder of images. A package that cannot be loaded is passed over with a warning: it may have nothing to do
    with this folder.

    Args:
        kinds: Of the generator's inputs; tasks that are for other kinds alone are passed over.
    """
    last: list[tuple[str, TaskSpec]] = []
    yield from ((name, row) for name, row in TASKS.own.items() if row.particular)
    for name, row in TASKS.usable():
        if (row.particular and name in TASKS.own) or not set(row.kinds) <= set(kinds):
            continue
        if row.catch_all:
            last.append((name, row))
        else:
            yield name, row
    yield from last


def asked_task(settings: Mapping[str, Any], found: str) -> str:
    """Return the task that the settings ask for, if the one that the data's layout says is another one of ours.

    Args:
        settings: Of the task, as a user gave them.
        found: The task that the data's layout says.
    """
    asked = next((name for name, row in TASKS.own.items() if set(row.asked_by) & set(settings)), found)
    same = found not in TASKS.own or set(TASKS.own[found].asked_by) & set(settings)
    return found if same else asked


def check_asked(task: str, settings: Mapping[str, Any]) -> None:
    """Raise UserError if settings were given to a task of ours that are of others alone."""
    if task not in TASKS.own:
        return
    others = {
        name: row.asked_by for name, row in TASKS.own.items() if not set(row.asked_by) <= {*TASKS.own[task].asked_by}
    }
    if wrong := [key for key in settings if any(key in keys for keys in others.values())]:
        names = [name for name, keys in others.items() if wrong[0] in keys]
        raise UserError(
            f"{wrong[0]} is a setting of {', '.join(names)}: got the task {task}; leave it out, or give "
            f"--task {names[0]}"
        )


def builtin_task(source: str) -> str:
    """Return the task that a built-in set serves first.

    Raises:
        UserError: There is no such set.
    """
    if source not in BUILTIN:
        raise UserError(f"data {source!r} is unknown; built in are {', '.join(BUILTIN)}")
    return next(_serving(source))


def check_source(task: str, source: str) -> None:
    """Raise UserError unless the task is known and can read a built-in set.

    Folders, and tasks that are named by path, are looked at when they are opened: this imports no user's code.
    """
    if is_path(task):
        return
    row = TASKS.find(task)
    if source in BUILTIN and source not in row.builtin:
        allowed = " or ".join(_serving(source))
        raise UserError(f"{source} serves the task {allowed}, not {task}; change --task or --data")


def expected_layouts(task: str = "") -> str:
    """Return how data must lie on disk, for messages: of our own tasks, and of the one that is asked for."""
    rows = TASKS.own | ({task: TASKS.find(task)} if task else {})
    names: dict[str, list[str]] = {}
    for name, row in rows.items():
        names.setdefault(row.layout, []).append(name)
    return "expected " + ", or ".join(f"{layout} ({', '.join(tasks)})" for layout, tasks in names.items())


def _serving(source: str) -> Iterator[str]:
    return (name for name, row in TASKS.own.items() if source in row.builtin)
