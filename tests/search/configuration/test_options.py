"""Options of a study: declared once, reached from Python, TOML, flags and `--set`, with one meaning."""

import dataclasses
import json
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.plain_values import to_json
from ganprune.search.config import StudyConfig
from ganprune.search.configuration.flags import read_flags
from ganprune.search.configuration.option import options_of
from ganprune.search.configuration.sections import PANELS, SECTIONS
from ganprune.search.samplers.catalog import SAMPLERS
from ganprune.studies.cli.search import (
    FORECAST_FLAGS,
    RESUME_FLAGS,
    SEARCH_FLAGS,
    TEACHER_FLAGS,
    options_given,
    run_values,
)
from ganprune.studies.run_options import ProfileOptions, RunOptions, StudyPlace

MINIMUM = {"name": "s", "model": "resnet", "data": "builtin:shapes", "budgets": ["25%"]}
RUN_SECTIONS = (StudyPlace, ProfileOptions, RunOptions)


def toml(tmp_path: Path, text: str) -> dict:
    """The values of a TOML file."""
    path = tmp_path / "c.toml"
    path.write_text(text)
    return options_given(SEARCH_FLAGS, {}, path, None)


def leaves(config: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every value that is no table, through nested dataclasses."""
    found = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found += leaves(value, (*path, field.name))
        else:
            found.append((*path, field.name))
    return found


def test_every_field_of_a_study_has_one_declaration():
    """Each field of StudyConfig comes from one section, and has a help text."""
    owners = [name for section in SECTIONS.values() for name in options_of(section)]
    assert sorted(owners) == sorted(f.name for f in dataclasses.fields(StudyConfig))
    for section in (*SECTIONS.values(), *RUN_SECTIONS):
        declared = options_of(section)
        assert list(declared) == [f.name for f in dataclasses.fields(section)]
        assert all(option.help.endswith(".") for option in declared.values())


def test_every_flag_names_its_default():
    """A user reads from the help what holds without the flag; names of flags are unique."""
    for flags in (SEARCH_FLAGS, RESUME_FLAGS, TEACHER_FLAGS, FORECAST_FLAGS):
        assert len({flag.name for flag in flags}) == len(flags)
        for flag in flags:
            assert flag.help.endswith("[required]") or "[default: " in flag.help, flag.spelling


@pytest.mark.parametrize("path", leaves(StudyConfig(**MINIMUM)), ids=".".join)
def test_every_value_is_reached_by_set(path):
    """`--set TABLE.FIELD...=VALUE` reaches every value of a configuration, nested ones too."""
    table = next(name for name, section in SECTIONS.items() if path[0] in options_of(section))
    if options_of(SECTIONS[table])[path[0]].internal:
        pytest.skip("set by ganprune alone")
    values = options_given(SEARCH_FLAGS, {}, None, [f"{table}.{'.'.join(path)}=7"])
    for part in path[:-1]:
        values = values[part]
    wanted = values[path[-1]]
    assert wanted in (7, "7", [7], ["7"])


def test_toml_has_tables_and_top_level_fields(tmp_path):
    """Tables, nested tables, fields at the top level, dashes and flags' names: all reach the same fields."""
    nested = toml(
        tmp_path,
        """
        data = "builtin:shapes"
        [model]
        model = "resnet"
        model-args = { ngf = 16 }
        [budget]
        budget = "25%"
        [search]
        methods = ["uniform", "coronet"]
        [search.setting.coronet]
        embedding = 1
        [training]
        batch-size = 4
        [training.recipe]
        amp = "bf16"
        lr-discriminator = 1e-4
        channels_last = true
        [training.task_settings.discriminator]
        ndf = 16
        """,
    )
    flat = toml(
        tmp_path,
        """
        data = "builtin:shapes"
        model = "resnet"
        model_args = "ngf=16"
        budgets = ["25%"]
        methods = "uniform,coronet"
        setting = ["coronet.embedding=1"]
        batch_size = 4
        ndf = 16
        [recipe]
        amp = "bf16"
        lr_discriminator = 1e-4
        channels_last = true
        """,
    )
    one, other = (StudyConfig.from_json({"name": "s", **values}) for values in (nested, flat))
    assert one == other
    assert (one.recipe.amp, one.recipe.batch_size, one.recipe.distill_output) == ("bf16", 4, 10.0)
    assert one.teacher_recipe.batch_size == 4
    assert one.method_settings == {"coronet.embedding": 1}
    assert one.task_settings == {"discriminator": {"ndf": 16}}


def test_texts_of_toml_survive_commas_and_quotes(tmp_path):
    """A value of TOML goes to its field as it is, never through the text of a flag."""
    values = toml(
        tmp_path,
        """
        keep = ["a,b", 'say "c"']
        [model-args]
        norm = 'x,y="z"'
        [run]
        device_command = 'ssh phone "bench {onnx}, 3"'
        """,
    )
    assert values["keep"] == ["a,b", 'say "c"']
    assert values["model_args"] == {"norm": 'x,y="z"'}
    assert values["device_command"] == 'ssh phone "bench {onnx}, 3"'


def test_flags_win_over_the_file_and_set_over_both(tmp_path):
    """The file comes first, then flags, then `--set`; what none of them names keeps its default."""
    path = tmp_path / "c.toml"
    path.write_text("trials = 5\nseed = 1\nlr = 1.0\n[model-args]\nngf = 8\n[training.recipe]\nlr = 2.0\ndecay = 0.1\n")
    given = {"trials": 6, "lr": 3.0, "model_args": "n_blocks=3"}
    values = options_given(SEARCH_FLAGS, given, path, ["search.trials=7", "recipe.d_steps=2"])
    config = StudyConfig.from_json({**MINIMUM, **values})
    assert (config.trials, config.seed, config.recipe.lr, config.recipe.decay, config.recipe.d_steps) == (
        7,
        1,
        3.0,
        0.1,
        2,
    )
    assert config.teacher_recipe.lr == 3.0
    assert config.model_args == {"ngf": 8, "n_blocks": 3}


def test_the_file_of_the_documentation_is_read(tmp_path):
    """The example of docs/configuration.md is a whole configuration, and its tables are those there are."""
    page = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
    values = toml(tmp_path, page.partition("```toml\n")[2].partition("```")[0])
    place, options, _ = run_values(values)
    config = StudyConfig.from_json(values)
    assert (config.budgets, config.keep, config.bits) == (("25%", "500kB"), ("model.1[0,2].*",), (32, 8))
    assert config.method_settings == {"coronet.embedding": 1}
    assert (config.recipe.amp, config.recipe.batch_size, config.teacher_recipe.lr_discriminator) == ("bf16", 4, 1e-4)
    assert config.task_settings == {"weight_l1": 50.0, "discriminator": {"ndf": 16}}
    assert config.quantization_settings.reduce_range
    assert (place.storage, options.executor, config.name) == ("sqlite:///ganprune.db", "local", "written")
    for table, panel in PANELS.items():
        assert f"| `{table}` | {panel} |" in page


def test_one_file_serves_search_and_train(tmp_path):
    """`train` reads the file of a search, and takes out what is of the search's run; its flags win there too."""
    path = tmp_path / "c.toml"
    path.write_text("distill = 3.0\nteacher-steps = 9\n[run]\nstorage = 'sqlite:///a.db'\n[search]\ntrials = 4\n")
    values = options_given(TEACHER_FLAGS, {"steps": 5}, path, None)
    run_values(values)
    assert values == {"recipe": {"distill_output": 3.0}, "teacher_steps": 5, "trials": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("color = 1", "c.toml: unknown option 'color'. Expected one of adversarial"),
        ("[training]\nbatchsize = 4", r"c.toml: \[training\]: unknown option 'batchsize'\. Did you mean batch-size"),
        ("[budget]\ntrials = 4", r"c.toml: \[budget\]: unknown option 'trials'\. Expected one of budget"),
        ("[training.recipe]\nampp = 'bf16'", r"\[training\].recipe: unknown option 'ampp'\. Did you mean amp"),
        ("[recipe]\nlearning = 1", r"recipe: unknown option 'learning'\. Expected one of amp, batch_size"),
        ("x = ", "is not TOML"),
        (
            "training = 3",
            r"c.toml: \[training\] is a table of options: got training = 3; write \[training\] above them",
        ),
        ("latency_sha256 = 'x'", "unknown option 'latency_sha256'"),
    ],
)
def test_an_unknown_key_is_named_with_its_table(text, message, tmp_path):
    """A key that is no option is refused with its table, and with names that are near."""
    with pytest.raises(UserError, match=message):
        toml(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[search]\ntrials = 'many'", "trials: got 'many'; expected a valid integer"),
        ("[training.recipe]\namp = true", "recipe.amp: got True; expected a valid string"),
        (
            "[training.recipe]\namp = 'fp8'",
            "unknown mode of mixed precision: got amp='fp8'; expected one of off, bf16, fp16",
        ),
        ("[search]\nsampler = 'cmaes'", "unknown sampler 'cmaes'; expected one of linear, tpe"),
        ("[search]\nladder = -1", "ladder is -1; use 0 or more"),
        ("[search.share]\nwidths = 'much'", "shares.widths: got 'much'; expected a valid number"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(text, message, tmp_path):
    """A value that its field does not take is refused with the field, the value and what is allowed."""
    with pytest.raises(UserError, match=message):
        StudyConfig.from_json({**MINIMUM, **toml(tmp_path, text)}).checked()


@pytest.mark.parametrize(
    ("flag", "example"),
    [
        ("model_args", "ngf=16,n_blocks=3"),
        ("health", "checks=8,diversity=0.05, or off"),
        ("method_settings", "coronet.embedding=1"),
        ("shares", "coronet=0.5"),
        ("weights", "inception=FILE"),
        ("task_settings", "weight_l1=50"),
    ],
)
def test_a_text_that_is_no_list_of_values_names_an_example_of_its_option(flag, example):
    """NAME=VALUE is asked for with an example of the option that was given, and of no other."""
    flags = [one for one in SEARCH_FLAGS if one.paths == ((flag,),)]
    with pytest.raises(UserError, match=f"'foo' is not NAME=VALUE. Try for example {re.escape(example)}"):
        read_flags(flags, {flags[0].name: ["foo"] if flags[0].kind is list else "foo"})


def test_what_is_of_the_run_is_taken_out(tmp_path):
    """The last table holds the study's place, how it runs, and fields of the study; each goes where it belongs."""
    values = toml(
        tmp_path,
        "[run]\nstudy = 'x'\nexecutor = 'local'\nstorage = 'sqlite:///a.db'\ngpus-per-trial = 1\ndevice = 'cpu'",
    )
    place, options, profile = run_values(values)
    assert (place.storage, options.executor, options.gpus_per_trial, profile) == ("sqlite:///a.db", "local", 1, "")
    assert values == {"name": "x", "device": "cpu"}
    with pytest.raises(UserError, match="executor 'cloud' is unknown; use ray or local"):
        RunOptions(executor=typing.cast(typing.Any, "cloud"))


def test_a_configuration_is_flat_json_both_ways():
    """A stored configuration is one flat mapping of fields; its hash does not depend on their order."""
    config = StudyConfig.from_json({**MINIMUM, "recipe": {"batch_size": 4, "lr": 1}, "shares": {"uniform": 1}})
    text = json.dumps(to_json(config), allow_nan=False)
    again = StudyConfig.from_json(json.loads(text))
    assert again == config
    assert again.fingerprint() == config.fingerprint()
    assert json.loads(text)["recipe"]["lr"] == 1
    assert set(json.loads(text)) == {f.name for f in dataclasses.fields(StudyConfig)}


def test_the_fingerprint_is_that_of_version_0_1_0():
    """A record of 0.1.0 has the same hash now; it stored the catalog's size where none was given."""
    config = StudyConfig.from_json({**MINIMUM, "recipe": {"batch_size": 4}, "image_size": 256})
    assert config.fingerprint() == "48e7365c601a4b7d"


def test_the_help_names_every_sampler_of_ours():
    """`--sampler` says which there are."""
    text = options_of(SECTIONS["search"])["sampler"].help
    assert re.findall(r"\w+", text.partition(": ")[2].partition(" or your")[0].replace(" or ", ", ")) == list(
        SAMPLERS.own
    )


@pytest.mark.parametrize("wrong", [["--budget", "0"], ["--model", "nosuch"], ["--data", "/nowhere"], ["--lr", "-1"]])
def test_what_needs_no_torch_is_checked_before_torch_is_imported(wrong):
    """A wrong budget, network, folder or number ends with exit code 2, and torch is not loaded for it."""
    arguments = ["ganprune", "search", "--model", "resnet", "--data", "builtin:shapes", "--budget", "25%", *wrong]
    code = (
        f"import sys; sys.argv = {arguments!r}\nfrom ganprune.studies.cli import main\ntry:\n main.main()\n"
        "except SystemExit as end:\n print(end.code, [m for m in ('torch', 'ray', 'optuna') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2 []"
    assert done.stderr.startswith("error: ")


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    """Editors on Windows write one; the first table is read all the same."""
    (tmp_path / "c.toml").write_bytes(b"\xef\xbb\xbf[search]\ntrials = 7\n")
    assert options_given(SEARCH_FLAGS, {}, tmp_path / "c.toml", None)["trials"] == 7


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_samplers_cannot_take_is_refused(seed):
    """The range is told, not the sampler that would fail."""
    with pytest.raises(UserError, match=f"seed is not possible: got {seed}; expected 0 to 4294967295"):
        StudyConfig(**MINIMUM, seed=seed)


def test_an_option_is_read_by_the_name_that_it_had_in_earlier_versions(tmp_path):
    """Files, `--set` and records with it; a record's fingerprint stays what it was."""
    settings = {"quantization_settings": {"reduce_range": True}}
    assert toml(tmp_path, "[quantization]\nquantisation = { reduce_range = true }\n") == settings
    assert options_given(SEARCH_FLAGS, {}, None, ["quantisation.reduce_range=true"]) == settings
    config = StudyConfig.from_json({**MINIMUM, "quantisation": {"reduce_range": True}})
    assert config == StudyConfig.from_json({**MINIMUM, **settings})
    assert config.fingerprint() == "8d16fc8174805879"


def test_a_forecast_needs_no_budget():
    """Its help shows the default range, while that of a search says that a budget is required."""
    shown = {
        name: next(flag.help for flag in flags if flag.spelling == "--budget")
        for name, flags in (("search", SEARCH_FLAGS), ("forecast", FORECAST_FLAGS))
    }
    assert shown["search"].endswith("[required]")
    assert shown["forecast"].endswith("[default: 90%, the whole range of costs]")
