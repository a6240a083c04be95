"""The sections of a study's configuration: generator, budget, data, search, training, quality, 8 bits, place.

Each field is declared only here: type, default, help, flag and range. `StudyConfig` inherits from all sections, so that
every value is read as `config.name`; TOML has one table per section, the command line one panel. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...evaluators.health.collapse import HealthLimits
from ...gan_models.data.degradation.catalog import DEGRADATIONS
from ...gan_models.data.spec import DIRECTIONS
from ...gan_models.distillation.catalog import JUDGE, TERM_FIELDS, TERMS
from ...gan_models.networks.specs import InputSpec
from ...gan_models.networks.value_ranges import ValueRanges
from ...gan_models.quantization.settings import SCHEMES, QuantSettings
from ...gan_models.training.recipe import AMP_MODES, Recipe
from ...spaces.budget import CONVENTIONS
from ...spaces.recipes import RECIPE_SETTINGS
from .flag_text import AUTO_MULTIPLE, read_health, read_multiple, read_nested
from .kept_profile import KeptProfile
from .option import Condition, Shortcut, option

PROTOCOLS = ("test-vs-test", "test-vs-train+test", "test-vs-train")
MODES = ("pareto", "target")
SELECTION, TEST = "selection", "test"  # split of the images on which trials are compared
CALIBRATION_IMAGES = 64  # number for a new study; records of studies without refits have none
STEPS_UNSET = -1  # steps that are decided together with the study's methods
DISTILL = 10.0  # a batch size alone must not switch distillation off: a study's default, not the recipe's
# Options other than the data's that change a teacher.
TEACHER_FIELDS = {
    "model", "model_args", "input_shape", "output", "value_range", "seed", "device", "metric", "inception_weights",
    "weights", "teacher_recipe", "task_settings", "teacher_steps", "health", "select_on",
}  # fmt: skip
_BOTH_RECIPES = ("teacher_recipe",)

_FILES = Condition(lambda f: f.reads_files, "the images are built in or of your own code, and no file is read")
_BUILT_IN = Condition(lambda f: f.builtin_data, "all images of other data are used; it is for built-in data")
_TEACHER_IS_TRAINED = Condition(
    lambda f: f.trains_before, "teacher and discriminator are both given, and nothing is trained before the search"
)
_HAS_CALIBRATION = Condition(lambda f: f.calibrates, "there are no calibration inputs: --calibration-images is 0")
_HAS_8_BIT_TRIALS = Condition(lambda f: 8 in f.bits, "no trial has 8 bits; give --bits 8 or 32,8")


def _of_searched(names: Callable[[Any], Sequence[str]]) -> Condition:
    """Return the condition that all methods of an option are searched."""
    return Condition(lambda f: not f.unsearched(names(f)), lambda f: f.unsearched(names(f)), refused=True)


def _distill_flags() -> tuple[Shortcut, ...]:
    """Return the flag of each term of distillation whose weight is not a field of the recipe."""
    judged = Condition(
        lambda f: f.judged,
        "the discriminator has no part in the task's loss, so that its features say nothing; leave it out",
        refused=True,
    )
    return tuple(
        Shortcut(
            f"--distill-{name.replace('_', '-')}",
            f"distill_terms.{name}",
            float,
            f"Weight of a distillation loss: {row.note}.",
            "off",
            acts_if=judged if JUDGE in row.needs else None,
        )
        for name, row in TERMS.own.items()
        if name not in TERM_FIELDS
    )


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The network to prune: the generator, its teacher's weights, and the groups of channels that may shrink."""

    model: str = option("Generator: a name of the catalog, package.module:function, or path/to/file.py:function.")
    model_args: Mapping[str, Any] = option(
        "Arguments of the network: ngf=16,n_blocks=3.", factory=dict, default_text="its own"
    )
    input_shape: str | tuple[int, ...] = option(
        "Inputs of your own generator: 3,256,256, latent:128, or several, image:3,64,64;style=latent:64.",
        (),
        read=lambda text: InputSpec.parse(text).text,
        default_text="the catalog's",
    )
    output: str | int = option(
        "Name or index of the output that counts, of a generator that returns several.",
        "",
        read=str,
        default_text="the only one",
    )
    output_color: str = option(
        "Meaning of the output's channels: gray, gray_alpha, rgb, rgba, lightness, ab or planes.",
        "",
        default_text="by their number; ab if one channel becomes two",
    )
    value_range: str | tuple[float, ...] = option(
        "Least and largest value of images: 0,1 or 0,255; input and output apart: 0,1:-1,1.",
        "",
        read=lambda text: ValueRanges.read(text).text,
        default_text="the catalog's, else -1,1",
    )
    teacher: str = option(
        "Weights of the trained generator: FILE, FILE::key, or AtoB=FILE,BtoA=FILE; spandrel:FILE has the model, too.",
        "",
        default_text="a new teacher is trained",
    )
    teacher_discriminator: str = option(
        "Weights of the teacher's discriminator.", "", default_text="one is trained with or against the teacher"
    )
    teacher_train_mode: bool = option(
        "Run the teacher in train mode, with dropout and batch statistics, as pix2pix does in tests.",
        False,
        acts_if=Condition(
            lambda f: f.mode_matters, "the generator has no dropout and no batch norm, and is the same in both modes"
        ),
    )
    prune_network: str = option(
        "Generator to prune, if two are trained (unpaired): AtoB, BtoA or both.",
        "",
        flag="--prune-direction",
        default_text="the first",
    )
    prune: tuple[str, ...] = option("Pattern of groups to prune; repeatable.", (), repeat=True, default_text="all")
    keep: tuple[str, ...] = option("Pattern of groups to leave whole; repeatable.", (), repeat=True)
    tie: tuple[str, ...] = option("Pattern of groups that share one ratio; repeatable.", (), repeat=True)
    channel_multiple: int = option(
        "Divisor of pruned widths; auto: the multiple at which the profiled device is fast.",
        1,
        low=AUTO_MULTIPLE,
        read=read_multiple,
    )


@dataclass(frozen=True, kw_only=True)
class BudgetOptions:
    """Budget: what a pruned generator may cost. The first budget is the objective, the others are constraints."""

    budgets: tuple[str, ...] = option(
        "Most that a generator may cost: 25%, 2.5GMACs, 5GFLOPs, 1.2Mparams, 2MB, 20ms; repeatable, the first is the "
        "objective.",
        flag="--budget",
        repeat=True,
    )
    convention: str = option(
        "Way to count MACs: exact, or published, as papers print them.",
        "exact",
        choices=lambda: tuple(CONVENTIONS),
        acts_if=Condition(lambda f: f.counts_macs, "no budget is in MACs or a percentage of them"),
    )


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Data: the images, and what the task makes of them."""

    preset: str = option(
        "Published recipe whose options are taken where none is given: horse2zebra, edges2shoes, summer2winter, "
        "cityscapes, cifar10-sngan.",
        "",
    )
    data: str = option(
        "Images: a folder, builtin:shapes, builtin:stripes, or your own as path/to/file.py:name or package.module:name."
    )
    task: str = option(
        "Task: paired, unpaired, unconditional, class_conditional, style_based, super_resolution, denoise, deblur, "
        "colorize, stylize, label_to_image, inpaint, another package's, or your own as path/to/file.py:Class.",
        "",
        default_text="by the folders of the data",
    )
    direction: str = option(
        "AtoB or BtoA: the half of an aligned pair that is the input; without pairs, the generator to prune.",
        "AtoB",
        choices=lambda: DIRECTIONS,
        acts_if=Condition(
            lambda f: f.reads_direction,
            "the task has no pairs, and no generator of that direction is pruned alone",
        ),
    )
    image_size: str | int = option(
        "Image size for training and measuring: pixels per side, or HEIGHTxWIDTH, such as 256x512.",
        0,
        low=8,
        unset=0,
        default_text="the images' own, up to the generator's",
    )
    load_size: str | int | None = option(
        "Size of training images before the random crop: the shorter side, or HEIGHTxWIDTH.",
        None,
        low=8,
        default_text="no crop",
        acts_if=Condition(
            lambda f: f.resizes and not f.own_data,
            lambda f: "your own data resize" if f.own_data else "the task cuts crops from images at their own size",
        ),
    )
    flip: bool = option("Mirror training images at random.", True)
    strict: bool = option("Fail on an image that cannot be read.", False, acts_if=_FILES)
    n_train: int = option("Number of training images of built-in data.", 2000, acts_if=_BUILT_IN)
    n_test: int = option("Number of test images of built-in data.", 500, acts_if=_BUILT_IN)
    data_workers: int = option("Number of processes that read training images in advance.", 0, low=0)


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """Search: which methods compete, and how trials are chosen and stopped."""

    trials: int = option("Number of trials of the study, all together.", 20, low=1)
    hours: float | None = option("End cleanly after this many hours.", None, default_text="no limit")
    methods: tuple[str, ...] = option(
        "Pruning methods to try, such as uniform,coronet.",
        (),
        default_text="uniform,reconstruct,coronet, and widths from 30 trials on",
    )
    method_settings: Mapping[str, Any] = option(
        "Fixed setting of a method, which the search does not choose then: coronet.embedding=1; repeatable.",
        factory=dict,
        flag="--setting",
        example="coronet.embedding=1",
        repeat=True,
        acts_if=_of_searched(lambda f: [name.rpartition(".")[0] for name in f.config.method_settings]),
    )
    shares: Mapping[str, float] = option(
        "Methods' shares of the trials: coronet=0.5,widths=0.1.",
        factory=dict,
        flag="--share",
        example="coronet=0.5,widths=0.1",
        default_text="by what the front would lose",
        acts_if=_of_searched(lambda f: list(f.config.shares)),
    )
    sampler: str = option(
        "Sampler of settings: linear, tpe, nsga2, gp, random, qmc, or your own as file.py:name.", "linear"
    )
    mode: str = option(
        "Goal: pareto for the front of quality against cost, or target for quality at the budget alone.",
        "pareto",
        choices=lambda: MODES,
    )
    ladder: int = option(
        "Number of uniform plans that are tried first.", 0, low=0, default_text="by the number of trials"
    )
    seed: int = option("Seed of images, teacher and trials.", 0)
    trial_seed: int | None = option(
        "Seed of the trials alone; --seed is that of images and teacher then.", None, low=0, default_text="as --seed"
    )
    deterministic: bool = option(
        "Choose trials in fixed batches, so that a repeated search has the same trials.", False
    )
    batch: int = option(
        "Number of trials per batch of --deterministic.",
        4,
        low=1,
        flag="--deterministic-batch",
        acts_if=Condition(lambda f: f.config.deterministic, "trials are asked for one by one without --deterministic"),
    )
    rungs: tuple[float, ...] = option("Shares of the fine-tuning steps at which trials are measured.", (0.25, 0.5))
    reduction: int | None = option(
        "One trial in this many continues after a rung; 0: all continue.",
        None,
        default_text="3 from 8 trials on, else 0",
        acts_if=Condition(
            lambda f: bool(f.config.rungs) or not f.config.reduction, "there are no --rungs at which a trial could end"
        ),
    )


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Training: steps and recipes of the teacher and of trials, and the task's losses."""

    teacher_steps: int = option(
        "Training steps of the teacher, or of a discriminator against a given teacher.",
        20_000,
        low=0,
        acts_if=_TEACHER_IS_TRAINED,
    )
    prune_steps: int = option(
        "Training steps for pruning; a method that does not train adds them to fine-tuning.",
        STEPS_UNSET,
        low=0,
        unset=STEPS_UNSET,
        default_text="30 % of all steps if a method trains",
    )
    finetune_steps: int = option(
        "Training steps of fine-tuning.", STEPS_UNSET, low=1, unset=STEPS_UNSET, default_text="the rest of 4000"
    )
    own_training: str = option(
        "Your own function that trains pruned generators, as file.py:name, instead of fine-tuning.",
        "",
        flag="--train",
        default_text="the study's recipe",
    )
    calibration_images: int | None = option(
        "Number of training inputs for ranking channels, refitting cuts and scoring plans; 0: no refit.",
        None,
        low=0,
        default_text=str(CALIBRATION_IMAGES),
    )
    calibration_memory: float | None = option(
        "Most gigabytes of activations during a refit; above that, fewer inputs are used.",
        None,
        low=0.001,
        default_text="2",
        acts_if=_HAS_CALIBRATION,
    )
    recipe: Recipe = option(
        "How trials are trained.",
        factory=lambda: Recipe(distill_output=DISTILL),
        hidden=True,
        shortcuts=(
            Shortcut("--batch-size", "batch_size", int, "Images per training step.", also=_BOTH_RECIPES),
            Shortcut("--lr", "lr", float, "Learning rate of the generators.", also=_BOTH_RECIPES),
            Shortcut(
                "--lr-discriminator",
                "lr_discriminator",
                float,
                "Learning rate of the discriminators.",
                "as --lr",
                _BOTH_RECIPES,
            ),
            Shortcut(
                "--d-steps", "d_steps", int, "Discriminator steps per generator step; SNGAN takes 5.", "", _BOTH_RECIPES
            ),
            Shortcut(
                "--amp",
                "amp",
                str,
                f"Automatic mixed precision on CUDA: {', '.join(AMP_MODES)}.",
                also=_BOTH_RECIPES,
                acts_if=Condition(
                    lambda f: f.cuda or f.config.recipe.amp == "off", "trials run on the CPU, which computes in float32"
                ),
            ),
            Shortcut(
                "--channels-last/--no-channels-last",
                "channels_last",
                bool,
                "Store images and weights channels last; quicker on CUDA with --amp.",
                also=_BOTH_RECIPES,
            ),
            Shortcut(
                "--distill",
                "distill_output",
                float,
                "Weight of the distillation loss |output - teacher's output|; 0 is off.",
            ),
            Shortcut(
                "--distill-features",
                "distill_features",
                float,
                "Weight of a distillation loss: feature matching; 0 is off.",
            ),
            *_distill_flags(),
            Shortcut(
                "--reconstruct-first",
                "reconstruct_first",
                float,
                "Share of fine-tuning, at its start, without the adversarial loss.",
                acts_if=Condition(lambda f: f.judged, "the task has no adversarial term in its loss"),
            ),
            Shortcut(
                "--rounds",
                "rounds",
                int,
                "Number of cuts: 2 splits cuts of more than 75 %, with --prune-steps of training in between.",
                acts_if=Condition(
                    lambda f: f.cuts_at_once,
                    "every method of this study trains before it cuts, or --prune-steps are 0",
                ),
            ),
            Shortcut(
                "--ema",
                "ema",
                float,
                "Half-life of the averaged weights that are measured, as a share of fine-tuning; 0 is off.",
            ),
        ),
    )
    search_recipe: tuple[str, ...] = option(
        f"Training settings that the search chooses per trial: {', '.join(RECIPE_SETTINGS)}.", ()
    )
    teacher_recipe: Recipe = option(
        "How the teacher is trained.", factory=Recipe, hidden=True, acts_if=_TEACHER_IS_TRAINED
    )
    task_settings: Mapping[str, Any] = option(
        "Setting of the task: weight_l1=50; repeatable.",
        factory=dict,
        flag="--task-setting",
        repeat=True,
        read=read_nested,
        default_text="the task's own",
        shortcuts=(
            Shortcut(
                "--adversarial", "adversarial", str, "Adversarial loss: vanilla, lsgan or hinge.", "the task's own"
            ),
            Shortcut(
                "--scale",
                "scale",
                int,
                "Enlargement of super-resolution: output pixels per input pixel.",
                "the generator's",
            ),
            Shortcut(
                "--degrade",
                "degrade",
                str,
                f"Degradation that makes inputs from single images: {', '.join(DEGRADATIONS.own)}.",
                "by the task: bicubic, noise, blur or gray",
            ),
            Shortcut(
                "--ndf",
                "discriminator.ndf",
                int,
                "Channels after the discriminator's first layer.",
                "the task's own",
                acts_if=Condition(lambda f: f.judge_takes("ndf"), "the discriminator takes no ndf"),
            ),
            Shortcut(
                "--n-layers",
                "discriminator.n_layers",
                int,
                "Number of strided layers of the PatchGAN discriminator.",
                "by image size",
                acts_if=Condition(
                    lambda f: f.judge_takes("n_layers"), "the discriminator is not a PatchGAN of any number of layers"
                ),
            ),
        ),
    )
    health: HealthLimits = option(
        "Limits that end a collapsed training: checks=8,diversity=0.05,duplicates=0.9,accuracy=1; or off.",
        factory=HealthLimits,
        read=read_health,
        default_text="limits of a plain collapse",
    )


@dataclass(frozen=True, kw_only=True)
class QualityOptions:
    """Quality: the metric, and the images that it is measured on."""

    metric: str = option(
        "Quality: the distance in an encoder's features, inception (FID), lite0, shapes (bundled) or your own as "
        "file.py:name; auto takes inception if its weights are there. Or a metric, as for --objective.",
        "auto",
    )
    objective: str = option(
        "Metric by which trials are compared, instead of the distance: psnr, l1, ..., or your own as file.py:name, "
        "a class or function with better = 'lower' or 'higher'.",
        "",
        default_text="the distance in the features of --metric",
        acts_if=Condition(
            lambda f: f.measures_all,
            "it compares each output with its reference, and this task has none; leave it out",
            refused=True,
        ),
    )
    maximizes: bool = option("Higher values of the objective are better.", False, internal=True)
    also_measure: tuple[str, ...] = option(
        "Further metrics of each trial: names of installed ones, or your own as file.py:Class.",
        (),
        acts_if=Condition(
            lambda f: f.measures_all,
            "a metric compares each output with its reference, and this task has none; leave it out",
            refused=True,
        ),
    )
    weights: Mapping[str, Any] = option(
        "Weight files of encoders and metrics by name: inception=FILE, lite0=FILE, lpips=FILE,alex=FILE.",
        factory=dict,
        example="inception=FILE,vgg=FILE",
        acts_if=Condition(
            lambda f: f.reads_weights,
            "a file is named that neither the encoder nor a metric of this study reads",
        ),
    )
    inception_weights: str = option(
        "File of pytorch-fid's Inception weights.",
        "",
        default_text="by environment variable, or in torch hub's cache",
        acts_if=Condition(
            lambda f: f.config.metric == "inception",
            "quality is not measured in Inception's features; --metric inception does",
        ),
    )
    vgg_weights: str = option(
        "File of torchvision's VGG-16 weights, for slimming and super_resolution.",
        "",
        default_text="the bundled encoder",
        acts_if=Condition(
            lambda f: f.reads_feature_maps,
            "neither the task nor a method nor a metric of this study reads VGG-16's features",
        ),
    )
    n_eval: int = option("Most images on which quality is measured; 0: all.", 0, low=0)
    protocol: str = option(
        "Generated and real images of the distance: test-vs-test, test-vs-train+test or test-vs-train.",
        "test-vs-test",
        choices=lambda: PROTOCOLS,
    )
    select_on: str = option(
        "Images on which trials are compared: test, or selection, which are used for nothing else.",
        "",
        choices=lambda: (SELECTION, TEST, ""),
        default_text="selection, or test if there are few training images",
    )

    @property
    def weight_files(self) -> dict[str, Path]:
        """Paths of weight files by name; including `inception_weights` and `vgg_weights`."""
        files = {"inception": self.inception_weights, "vgg": self.vgg_weights} | dict(self.weights)
        return {name: Path(str(path)) for name, path in files.items() if path}


@dataclass(frozen=True, kw_only=True)
class QuantizationOptions:
    """8 bits: whether trials are quantized, and how."""

    bits: tuple[int, ...] = option(
        "Bits of weights and activations in trials: 32, 8 or 32,8.", (), default_text="32,8 if bytes are budgeted"
    )
    quantization_settings: QuantSettings = option(
        "How trials of 8 bits are quantized.",
        factory=lambda: QuantSettings(per_channel=True),
        hidden=True,
        formerly="quantisation",
        shortcuts=(
            Shortcut(
                "--per-channel/--no-per-channel",
                "per_channel",
                bool,
                "Scale 8-bit weights per output channel, instead of per layer.",
            ),
            Shortcut(
                "--quantizer",
                "scheme",
                str,
                f"Quantization grids: {' or '.join(SCHEMES)} (GAN Slimming's, with --no-per-channel).",
            ),
        ),
        acts_if=_HAS_8_BIT_TRIALS,
    )


@dataclass(frozen=True, kw_only=True)
class PlaceOptions:
    """The place where a study runs and is kept."""

    name: str = option("Name of the study.", flag="--study", default_text="search")
    device: str = option("Device of training: auto, cpu or cuda.", "auto")
    # the next two are read, not written: version 0.1.0 had one profile
    latency_profile: str = option("File of the device's latency profile.", "", internal=True)
    latency_sha256: str = option("SHA-256 of the profile's content.", "", internal=True)
    profiles: Mapping[str, KeptProfile] = option("Copies of the profiles of costs.", factory=dict, internal=True)


# One table of TOML and one panel of the help each; further classes may share the last one.
SECTIONS: Mapping[str, type] = {
    "model": ModelOptions,
    "budget": BudgetOptions,
    "data": DataOptions,
    "search": SearchOptions,
    "training": TrainingOptions,
    "quality": QualityOptions,
    "quantization": QuantizationOptions,
    "run": PlaceOptions,
}
PANELS = {
    "model": "What to prune",
    "budget": "Budget",
    "data": "Data",
    "search": "Search",
    "training": "Training",
    "quality": "Quality",
    "quantization": "8 bits",
    "run": "Where it runs and is kept",
}
