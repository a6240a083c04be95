"""No option is ignored in silence: what does not act in a study is named, with the reason."""

from dataclasses import replace

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import OutputSpec
from ganprune.gan_models.tasks.catalog import TASKS
from ganprune.gan_models.tasks.task import make_task
from ganprune.search.config import StudyConfig
from ganprune.search.configuration.flags import Flag, merge
from ganprune.search.configuration.option import Condition, check_given, options_of
from ganprune.search.configuration.sections import SECTIONS
from ganprune.search.setup.idle_options import Facts, idle_notes, idle_options
from ganprune.search.setup.open_choices import decided
from ganprune.studies.api import Search
from ganprune.studies.cli.search import SEARCH_FLAGS, options_given
from ganprune.studies.run_options import ProfileOptions, RunOptions, StudyPlace

ALL_SECTIONS = (*SECTIONS.values(), StudyPlace, ProfileOptions, RunOptions)
SMALL = {
    "model": "resnet",
    "model_args": {"ngf": 8, "n_blocks": 1},
    "data": "builtin:shapes",
    "budgets": ["40%"],
    "image_size": 16,
    "methods": ["uniform"],
    "metric": "shapes",
    "trials": 2,
}
UNPAIRED = {"data": "builtin:stripes"}
LATENTS = {"model": "sngan_32", "model_args": {"ngf": 8}, "task": "unconditional", "image_size": 32}
FOLDER = {"data": "pairs", "task": "paired"}
BYTES = {"budgets": ["60%", "500kB"]}
JUDGED = {"teacher": "t.pth", "teacher_discriminator": "d.pth"}
MINE = {"methods": ["uniform", "mggc"], "prune_steps": 2}

# Flag -> what is given besides it, its value where it does not act, and what is given where it does.
CASES: dict[str, tuple[dict, object, dict]] = {
    "teacher_train_mode": ({}, True, {"model": "unet_128", "model_args": {"ngf": 8}, "image_size": 128}),
    "convention": ({"budgets": ["20kparams"]}, "published", {}),
    "direction": (LATENTS, "BtoA", {}),
    "load_size": ({"task": "denoise"}, 32, {}),
    "strict": ({}, True, FOLDER),
    "n_train": (FOLDER, 8, {}),
    "n_test": (FOLDER, 8, {}),
    "setting": ({}, ["mggc.k=4"], MINE),
    "share": ({}, "mggc=0.5", MINE),
    "deterministic_batch": ({}, 3, {"deterministic": True}),
    "reduction": ({"rungs": []}, 3, {}),
    "teacher_steps": (JUDGED, 3, {}),
    "calibration_memory": ({"calibration_images": 0}, 1.5, {}),
    "amp": ({"device": "cpu"}, "bf16", {"ray_address": "head:6379"}),
    "ndf": ({"task_settings": {"discriminator": {"model": "judge.py:judge"}}}, 4, {}),
    "n_layers": (LATENTS, 2, {}),
    "also_measure": (LATENTS, "ssim", {}),
    "objective": (LATENTS, "ssim", {}),
    "weights": ({}, "vgg=w.pth", {"methods": ["uniform", "slimming"], "prune_steps": 2}),
    "inception_weights": ({}, "w.pth", {"metric": "inception"}),
    "vgg_weights": ({}, "w.pth", {"methods": ["uniform", "slimming"], "prune_steps": 2}),
    "distill_judge": ({"task": "denoise", "task_settings": {"weight_adversarial": 0}}, 1.0, {}),
    "reconstruct_first": ({"task": "denoise", "task_settings": {"weight_adversarial": 0}}, 0.1, {}),
    "rounds": ({"methods": ["mggc"], "prune_steps": 2}, 2, {"prune_steps": 2}),
    "per_channel": ({"bits": [32]}, False, {"bits": [32, 8]}),
    "quantizer": ({"bits": [32]}, "published", {"bits": [32, 8]}),
    "latency_profile": ({}, "p.json", {"budgets": ["20ms"]}),
    "allow_busy": ({}, True, {"budgets": ["20ms"]}),
    "device_command": ({}, "bench", {"budgets": ["20ms"]}),
    "gpus_per_trial": ({"executor": "local"}, 0.5, {}),
    "max_concurrent": ({"executor": "local"}, 2, {}),
    "ray_address": ({"executor": "local"}, "head:6379", {}),
    "insecure": ({}, True, {"ray_address": "head:6379"}),
}


def condition_of(flag: Flag) -> Condition | None:
    """The condition at a flag's declaration."""
    field, *below = flag.paths[0]
    found = [options_of(section)[field] for section in ALL_SECTIONS if field in options_of(section)]
    declared = next(one for one in found if not one.internal)
    shortcut = next((one for one in declared.shortcuts if one.path == ".".join(below)), None) if below else None
    return (shortcut.acts_if if shortcut else None) or declared.acts_if


def facts(besides: dict, flag: str = "", value: object = None) -> Facts:
    """The facts of a small study with something given, one flag as a user types it."""
    given = options_given(SEARCH_FLAGS, {flag: value} if flag else {}, None, None)
    everything = merge({**given}, {**besides})
    run = RunOptions(**{name: everything[name] for name in options_of(RunOptions) if name in everything})
    own = {name for section in SECTIONS.values() for name in options_of(section)}
    study = {name: item for name, item in everything.items() if name in own and name != "latency_profile"}
    config = StudyConfig.from_json({"name": "s", "task": "paired", **SMALL, **study})
    settings = TASKS.find(config.task).load().complete(config.task_settings, OutputSpec(3, config.size))
    return Facts(replace(config, task_settings=settings), config.bits or (32,), run, everything)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """A user's own discriminator, which takes no width."""
    (tmp_path / "judge.py").write_text("from torch import nn\ndef judge(input_channels=3): return nn.Identity()\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("flag", SEARCH_FLAGS, ids=lambda flag: flag.name)
def test_every_option_always_acts_or_has_a_case_in_which_it_does_not(flag):
    """Each option of `search` has no condition, or a case below that shows it."""
    assert (condition_of(flag) is not None) == (flag.name in CASES), flag.spelling


@pytest.mark.parametrize("name", CASES)
def test_an_option_that_does_not_act_is_named(name):
    """Given where it does not act, an option is named as it was typed, with the reason; where it acts, it is not."""
    besides, value, acting = CASES[name]
    flag = next(flag for flag in SEARCH_FLAGS if flag.name == name)
    idle = idle_options(ALL_SECTIONS, facts(besides, name, value))
    (line,) = [each.line for each in idle if each.name in flag.spelling.split("/")]
    condition = condition_of(flag)
    assert line.partition(" does not act: ")[2] == condition.why or callable(condition.why)
    if condition.refused:
        with pytest.raises(UserError, match=f"{flag.spelling} does not act"):
            idle_notes(ALL_SECTIONS, facts(besides, name, value))
    else:
        assert line in idle_notes(ALL_SECTIONS, facts(besides, name, value))
    assert not idle_options(ALL_SECTIONS, facts(besides))
    assert flag.spelling not in str(idle_options(ALL_SECTIONS, facts(acting, name, value)))


def test_the_negative_of_a_flag_is_named_as_it_was_typed():
    """`--no-per-channel` in 32 bits is named so, and not as `--per-channel`."""
    (idle,) = idle_options(ALL_SECTIONS, facts({"bits": [32]}, "per_channel", False))
    assert idle.name == "--no-per-channel"


def test_a_value_without_a_flag_is_named_by_its_path():
    """A value that only `--set` reaches is named by the path that `--set` takes."""
    (idle,) = idle_options(ALL_SECTIONS, facts({"quantization_settings": {"reduce_range": True}}))
    assert idle.name == "quantization_settings.reduce_range"


def test_one_flag_of_two_recipes_acts_in_the_other():
    """`--lr` sets both recipes: that no teacher is trained does not make it idle."""
    assert idle_options(ALL_SECTIONS, facts(JUDGED, "lr", 0.1)) == []
    (idle,) = idle_options(ALL_SECTIONS, facts({**JUDGED, "teacher_recipe": {"decay": 0.2}}, "lr", 0.1))
    assert idle.name == "teacher_recipe.decay"


@pytest.mark.parametrize(("name", "besides"), [("AtoB", {}), ("BtoA", {}), ("BtoA", {"prune_network": "BtoA"})])
def test_the_direction_of_unpaired_data_chooses_the_generator(name, besides):
    """`--direction BtoA` prunes, and with one teacher distills, the generator from B to A; it is not idle."""
    values = {**SMALL, **UNPAIRED, "direction": name, "teacher": "G.pth", **besides, "name": "s"}
    config, notes, _ = decided(StudyConfig.from_json(values))
    assert config.prune_network == name
    assert config.task_settings["directions"] == [name]
    assert f"one generator is given: {name} is distilled, without a cycle" in notes
    assert idle_options(ALL_SECTIONS, Facts(config, (32,), RunOptions(), {"direction": name})) == []


def test_settings_of_the_discriminator_do_not_replace_it():
    """`--ndf 4` narrows SNGAN's discriminator; it does not put a PatchGAN in its place."""
    config, _, _ = decided(facts({**LATENTS, "task_settings": {"discriminator": {"ndf": 4}}}).config)
    assert make_task(config.task, config.task_settings).settings.discriminator.model == "sngan"
    assert config.task_settings["discriminator"] == {"model": "sngan", "ndf": 4}


def test_two_directions_that_contradict_are_refused():
    """`--direction BtoA --prune-direction AtoB` names both and the generators that there are."""
    values = {**SMALL, **UNPAIRED, "direction": "BtoA", "prune_network": "AtoB", "name": "s"}
    with pytest.raises(UserError, match=r"--direction BtoA and --prune-direction AtoB contradict .* AtoB, BtoA"):
        decided(StudyConfig.from_json(values))


@pytest.mark.parametrize(
    ("given", "settings", "says"),
    [
        ({"methods": ""}, [], "--methods is empty: expected a value. Try omitting it"),
        ({"teacher": " "}, [], "--teacher is empty"),
        ({"keep": ["a", ""]}, [], "--keep is empty"),
        ({}, ["search.methods=[]"], "methods is empty: expected one or more. Try one, or leave it out"),
        ({}, ["data.image_size=0"], "image_size is 0, which says nothing: use 8 or more, or leave it out"),
        ({"finetune_steps": -1}, [], "finetune_steps is -1, which says nothing: use 1 or more"),
    ],
)
def test_what_says_nothing_is_refused(given, settings, says):
    """An empty text, an empty list and the number that means "not given" are refused instead of ignored."""
    with pytest.raises(UserError, match=says):
        options_given(SEARCH_FLAGS, given, None, settings)


def test_an_empty_list_of_rungs_is_a_value():
    """`--rungs ""` says that there are none."""
    assert options_given(SEARCH_FLAGS, {"rungs": ""}, None, None) == {"rungs": []}
    check_given(ALL_SECTIONS, {"rungs": [], "keep": []})


def test_a_study_carries_the_notes_of_its_idle_options():
    """`Search.resolve` puts them among the study's notes, and refuses before anything is trained."""
    given = {name: value for name, value in SMALL.items() if name not in ("model", "data", "budgets")}
    given |= {"n_train": 8, "n_test": 8, "convention": "published", "finetune_steps": 1}
    wanted = Search("resnet", "builtin:shapes", "20kparams", options=given, run_options=RunOptions("local"))
    assert "--convention does not act: no budget is in MACs or a percentage of them" in wanted.resolve().notes
    wrong = Search("resnet", "builtin:shapes", "20kparams", options={**given, "shares": {"mggc": 0.5}})
    with pytest.raises(
        UserError,
        match="--share does not act: mggc is not among the methods, uniform; add it to --methods, or omit this option",
    ):
        wrong.resolve()
