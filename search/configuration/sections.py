"""The sections of a study's configuration: what is pruned, budget, data, search, training, quality, 8 bits, place.

Each field is declared here alone: type, default, help, flag and range. `StudyConfig` inherits from all sections, so
that every value is read as `config.name`; TOML has one table per section, the command line one panel. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...evaluators.health.collapse import HealthLimits
from ...gan_models.data.degradation.catalog import DEGRADATIONS
from ...gan_models.data.spec import DIRECTIONS
from ...gan_models.distillation.catalog import FIELDS, JUDGE, TERMS
from ...gan_models.networks.specs import InputSpec
from ...gan_models.networks.value_ranges import ValueRanges
from ...gan_models.quantization.settings import SCHEMES, QuantSettings
from ...gan_models.training.recipe import AMP_MODES, Recipe
from ...spaces.budget import CONVENTIONS
from ...spaces.recipes import RECIPE_SETTINGS
from .flag_text import read_health, read_nested
from .kept_profile import KeptProfile
from .option import Condition, Shortcut, option

PROTOCOLS = ("test-vs-test", "test-vs-train+test", "test-vs-train")
MODES = ("pareto", "target")
SELECTION, TEST = "selection", "test"  # images that trials are compared on
CALIBRATION_IMAGES = 64  # of a new study; records of studies that knew the plain cut alone have none
STEPS_UNSET = -1  # steps that are decided with the study's methods
DISTILL = 10.0  # a batch size given alone must not switch distillation off: a study's default, not the recipe's
# Options that change a teacher beside the data.
TEACHER_FIELDS = {
    "model", "model_args", "input_shape", "output", "value_range", "seed", "device", "metric", "inception_weights",
    "weights", "teacher_recipe", "task_settings", "teacher_steps", "health", "select_on",
}  # fmt: skip
_BOTH_RECIPES = ("teacher_recipe",)

_FILES = Condition(lambda f: f.reads_files, "the images are built in or of your own code, and no file is read")
_BUILT_IN = Condition(lambda f: f.builtin_data, "all images of other data are used; it is for built-in data")
_TRAINED_BEFORE = Condition(
    lambda f: f.trains_before, "teacher and discriminator are both given, and nothing is trained before the search"
)
_CALIBRATES = Condition(lambda f: f.calibrates, "there are no calibration inputs: --calibration-images is 0")
_IN_8_BITS = Condition(lambda f: 8 in f.bits, "no trial has 8 bits; give --bits 8 or 32,8")


def _of_searched(names: Callable[[Any], Sequence[str]]) -> Condition:
    """Return the condition that all methods that an option names are searched."""
    return Condition(lambda f: not f.unsearched(names(f)), lambda f: f.unsearched(names(f)), refused=True)


def _distill_flags() -> tuple[Shortcut, ...]:
    """Return the flag of each term of distillation whose weight is no field of the recipe."""
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
            f"Weight of a term of fine-tuning: {row.note}.",
            "off",
            acts_if=judged if JUDGE in row.needs else None,
        )
        for name, row in TERMS.own.items()
        if name not in FIELDS
    )


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The network to prune: the generator, its teacher's weights, and the groups of channels that may shrink."""

    model: str = option("Catalog name, package.module:function, or path/to/file.py:function.")
    model_args: Mapping[str, Any] = option("Arguments of the builder: ngf=16,n_blocks=3.", factory=dict)
    input_shape: str | tuple[int, ...] = option(
        "What a generator outside the catalog takes: 3,256,256, latent:128, or several, image:3,64,64;style=latent:64.",
        (),
        read=lambda text: InputSpec.parse(text).text,
        default_text="the catalog's",
    )
    output: str | int = option(
        "Which output counts, of a generator that returns several: a name or an index.",
        "",
        read=str,
        default_text="the only one",
    )
    output_color: str = option(
        "What the output's channels stand for: gray, gray_alpha, rgb, rgba, lightness, ab or planes.",
        "",
        default_text="the usual of their number; ab of one channel to two",
    )
    value_range: str | tuple[float, ...] = option(
        "Least and largest value of the images that the generator takes and gives: 0,1 or 0,255; apart, 0,1:-1,1.",
        "",
        read=lambda text: ValueRanges.read(text).text,
        default_text="-1,1, or what the catalog says of the network",
    )
    teacher: str = option(
        "Weights of the generator: FILE, FILE::key, AtoB=FILE,BtoA=FILE; spandrel:FILE says the model, too.",
        "",
        default_text="a new teacher is trained",
    )
    teacher_discriminator: str = option(
        "Weights of its discriminator.", "", default_text="trained beside the teacher, or warmed up against it"
    )
    teacher_train_mode: bool = option(
        "Run the teacher in train mode, as upstream pix2pix tests: dropout on, batch statistics.",
        False,
        acts_if=Condition(
            lambda f: f.mode_matters, "the generator has no dropout and no batch norm, and is the same in both modes"
        ),
    )
    prune_network: str = option(
        "Unpaired: the generator to prune, AtoB, BtoA or both.",
        "",
        flag="--prune-direction",
        default_text="the first",
    )
    prune: tuple[str, ...] = option("Pattern of groups to prune; repeatable.", (), repeat=True, default_text="all")
    keep: tuple[str, ...] = option("Pattern of groups to leave whole; repeatable.", (), repeat=True)
    tie: tuple[str, ...] = option("Pattern of groups that share one ratio; repeatable.", (), repeat=True)
    channel_multiple: int = option("Widths are multiples of this, or full.", 1, low=1)


@dataclass(frozen=True, kw_only=True)
class BudgetOptions:
    """Budget: what a pruned generator may cost. The first budget is the objective, the others are constraints."""

    budgets: tuple[str, ...] = option(
        "25%, 2.5GMACs, 5GFLOPs, 1.2Mparams, 2MB, 20ms; repeatable: the first is the objective.",
        flag="--budget",
        repeat=True,
    )
    convention: str = option(
        "How MACs are counted: exact, or published as papers print them.",
        "exact",
        choices=lambda: tuple(CONVENTIONS),
        acts_if=Condition(lambda f: f.counts_macs, "no budget is in MACs or a percentage of them"),
    )


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Data: the images, and what the task makes of them."""

    data: str = option(
        "builtin:shapes, builtin:stripes, a folder of images, or your own: path/to/file.py:name, package.module:name."
    )
    task: str = option(
        "paired, unpaired, unconditional, class_conditional, super_resolution, denoise, deblur, colorize, another "
        "package's, or package.module:Class, path/to/file.py:Class.",
        "",
        default_text="what the data's layout says",
    )
    direction: str = option(
        "AtoB or BtoA: of pairs which half of an aligned image is the input, else which generator is pruned.",
        "AtoB",
        choices=lambda: DIRECTIONS,
        acts_if=Condition(
            lambda f: f.reads_direction,
            "the task has no pairs, and no generator of that direction is pruned alone",
        ),
    )
    image_size: str | int = option(
        "Size of what the networks see: pixels per side, or HEIGHTxWIDTH, such as 256x512.",
        0,
        low=8,
        unset=0,
        default_text="the data's own, up to the generator's",
    )
    load_size: str | int | None = option(
        "Size that training images are resized to before the random crop: the shorter side, or HEIGHTxWIDTH.",
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
    n_train: int = option("Images of a built-in training set.", 2000, acts_if=_BUILT_IN)
    n_test: int = option("Images of a built-in test set.", 500, acts_if=_BUILT_IN)
    data_workers: int = option("Processes that read images ahead of a training.", 0, low=0)


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """Search: which methods compete, and how trials are chosen and stopped."""

    trials: int = option("Total number of trials of the study.", 20, low=1)
    hours: float | None = option("End cleanly after so many hours.", None, default_text="no limit")
    methods: tuple[str, ...] = option(
        "Methods that compete.", (), default_text="uniform,coronet,mggc, and widths from 30 trials on"
    )
    method_settings: Mapping[str, Any] = option(
        "A method's setting, which is then not searched: coronet.embedding=1; repeatable.",
        factory=dict,
        flag="--setting",
        example="coronet.embedding=1",
        repeat=True,
        acts_if=_of_searched(lambda f: [name.rpartition(".")[0] for name in f.config.method_settings]),
    )
    shares: Mapping[str, float] = option(
        "Shares of the trials: coronet=0.5,widths=0.1.",
        factory=dict,
        flag="--share",
        example="coronet=0.5,widths=0.1",
        default_text="by what the front would lose",
        acts_if=_of_searched(lambda f: list(f.config.shares)),
    )
    sampler: str = option("linear, tpe, nsga2, gp, random or qmc, or your own as file.py:name.", "linear")
    mode: str = option("pareto: the whole front; target: quality at the budget alone.", "pareto", choices=lambda: MODES)
    ladder: int = option("Uniform plans tried first.", 0, low=0, default_text="by the number of trials")
    seed: int = option("Seed of everything.", 0)
    trial_seed: int | None = option(
        "Seed of the trials alone, with the images and the teacher of --seed.", None, low=0, default_text="as --seed"
    )
    deterministic: bool = option("Ask in fixed batches: the same study gives the same trials.", False)
    batch: int = option(
        "Trials asked for at once with --deterministic.",
        4,
        low=1,
        flag="--deterministic-batch",
        acts_if=Condition(lambda f: f.config.deterministic, "trials are asked for one by one without --deterministic"),
    )
    rungs: tuple[float, ...] = option("Shares of the fine-tuning steps at which trials are measured.", (0.25, 0.5))
    reduction: int | None = option(
        "At a rung one trial in so many continues; 0: all.",
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
        "Training steps of the teacher, or of its discriminator's warm-up.", 20_000, low=0, acts_if=_TRAINED_BEFORE
    )
    prune_steps: int = option(
        "Training steps that a method may spend; methods that do not train fine-tune so much longer.",
        STEPS_UNSET,
        low=0,
        unset=STEPS_UNSET,
        default_text="30 % of all steps if a method trains",
    )
    finetune_steps: int = option(
        "Training steps after pruning.", STEPS_UNSET, low=1, unset=STEPS_UNSET, default_text="the rest of 4000"
    )
    own_training: str = option(
        "Your own function that trains the pruned generator, as file.py:name; nothing of ours then trains.",
        "",
        flag="--train",
        default_text="the study's recipe",
    )
    calibration_images: int | None = option(
        "Training inputs, without labels, to rank channels, refit cuts and score plans with; 0: a plain cut.",
        None,
        low=0,
        default_text=str(CALIBRATION_IMAGES),
    )
    calibration_memory: float | None = option(
        "Most gigabytes of activations at once while a cut network is refitted; fewer inputs are used above that.",
        None,
        low=0.001,
        default_text="2",
        acts_if=_CALIBRATES,
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
                "Weight of |output - teacher's output| in fine-tuning; 0 is off.",
            ),
            Shortcut(
                "--distill-features",
                "distill_features",
                float,
                "Weight of feature matching in fine-tuning; 0 is off.",
            ),
            *_distill_flags(),
            Shortcut(
                "--reconstruct-first",
                "reconstruct_first",
                float,
                "Share of fine-tuning, at its start, without the adversarial term.",
                acts_if=Condition(lambda f: f.judged, "the task has no adversarial term in its loss"),
            ),
            Shortcut(
                "--rounds",
                "rounds",
                int,
                "2: cuts of more than 75 % are made in two halves, with training in between for --prune-steps.",
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
        f"Settings of the recipe that a search chooses per trial: {', '.join(RECIPE_SETTINGS)}.", ()
    )
    teacher_recipe: Recipe = option("How the teacher is trained.", factory=Recipe, hidden=True, acts_if=_TRAINED_BEFORE)
    task_settings: Mapping[str, Any] = option(
        "A setting of the task: weight_l1=50; repeatable.",
        factory=dict,
        flag="--task-setting",
        repeat=True,
        read=read_nested,
        default_text="the task's own",
        shortcuts=(
            Shortcut("--adversarial", "adversarial", str, "vanilla, lsgan or hinge.", "the task's own"),
            Shortcut(
                "--scale",
                "scale",
                int,
                "Super-resolution: pixels of the output per pixel of the input.",
                "the generator's",
            ),
            Shortcut(
                "--degrade",
                "degrade",
                str,
                f"How inputs are made of single images: {', '.join(DEGRADATIONS.own)}.",
                "bicubic; noise, blur, gray of denoise, deblur, colorize",
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
                "Strided layers of the PatchGAN.",
                "by image size",
                acts_if=Condition(
                    lambda f: f.judge_takes("n_layers"), "the discriminator is no PatchGAN of any number of layers"
                ),
            ),
        ),
    )
    health: HealthLimits = option(
        "What ends a training early: checks=8,diversity=0.05,duplicates=0.9,accuracy=1; or off.",
        factory=HealthLimits,
        read=read_health,
        default_text="only what has plainly collapsed",
    )


@dataclass(frozen=True, kw_only=True)
class QualityOptions:
    """Quality: the metric, and the images that it is measured on."""

    metric: str = option(
        "Quality. An encoder, in whose features a distance is taken: inception (FID), lite0, shapes (bundled), your "
        "own as file.py:name, or auto: inception if its weights are there. Or a metric, as for --objective.",
        "auto",
    )
    objective: str = option(
        "Metric that trials are compared by in the place of the distance: psnr, l1, ... or your own as file.py:name, "
        "a class or a function that says better = 'lower' or 'higher'.",
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
        "Metrics besides ours, in every trial: names of installed ones, or your own as file.py:Class.",
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
        "Path of pytorch-fid's Inception weights.",
        "",
        default_text="environment variable or torch hub's cache",
        acts_if=Condition(
            lambda f: f.config.metric == "inception",
            "quality is not measured in Inception's features; --metric inception does",
        ),
    )
    vgg_weights: str = option(
        "Path of torchvision's VGG-16 weights (slimming, and the loss of super_resolution).",
        "",
        default_text="the bundled encoder",
        acts_if=Condition(
            lambda f: f.reads_feature_maps,
            "neither the task nor a method nor a metric of this study reads VGG-16's features",
        ),
    )
    n_eval: int = option("Most images that quality is measured on; 0 for all.", 0, low=0)
    protocol: str = option(
        "Real images: test-vs-test, test-vs-train+test or test-vs-train.", "test-vs-test", choices=lambda: PROTOCOLS
    )
    select_on: str = option(
        "Images that trials are compared on: selection, which are neither trained nor tested on, or test.",
        "",
        choices=lambda: (SELECTION, TEST, ""),
        default_text="selection, or test if too few training images can be spared",
    )

    @property
    def weight_files(self) -> dict[str, Path]:
        """Paths of weight files by name; `inception_weights` and `vgg_weights` are two of them."""
        files = {"inception": self.inception_weights, "vgg": self.vgg_weights} | dict(self.weights)
        return {name: Path(str(path)) for name, path in files.items() if path}


@dataclass(frozen=True, kw_only=True)
class QuantizationOptions:
    """8 bits: whether trials are quantized, and how."""

    bits: tuple[int, ...] = option("Bits of trials: 32, 8 or 32,8.", (), default_text="32,8 if bytes are budgeted")
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
                "8-bit weights with one scale per output channel; else one per layer.",
            ),
            Shortcut(
                "--quantizer",
                "scheme",
                str,
                f"Grids of 8-bit trials: {' or '.join(SCHEMES)} (GAN Slimming's; --no-per-channel is its too).",
            ),
        ),
        acts_if=_IN_8_BITS,
    )


@dataclass(frozen=True, kw_only=True)
class PlaceOptions:
    """The place where a study runs and is kept."""

    name: str = option("The study's name.", flag="--study", default_text="search")
    device: str = option("auto, cpu or cuda.", "auto")
    # the next two are read, not written: version 0.1.0 knew one profile
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
