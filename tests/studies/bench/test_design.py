"""The cells of a benchmark: what decides them, and what is refused before anything runs."""

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.studies.bench.bench import Bench
from ganprune.studies.bench.catalog import contender_of
from ganprune.studies.bench.contender import Contender

TASK = {"model": "resnet", "data": "builtin:shapes", "model_args": {"ngf": 4, "n_blocks": 1}, "finetune_steps": 70}


def bench(**values) -> Bench:
    """A benchmark of two contenders."""
    usual = {"tasks": {"demo": TASK}, "contenders": ("uniform", "coronet"), "seeds": 2}
    return Bench(**{**usual, **values})


def test_what_is_compared_stands_together_and_the_first_budget_first():
    """All contenders of one seed follow each other, then the next seed; the second budget is last."""
    labels = [cell.label for cell in bench(budgets=("25%", "12.5%"), seeds=1, teachers=2).design.cells()]
    assert labels[:3] == [
        "demo 25% uniform teacher 0 seed 0", "demo 25% coronet teacher 0 seed 0", "demo 25% uniform teacher 1 seed 0",
    ]  # fmt: skip
    assert labels[4] == "demo 12.5% uniform teacher 0 seed 0"


def test_every_contender_has_the_same_steps():
    """If only fine-tuning steps are given, a share for pruning is set aside for all; uniform fine-tunes for it instead."""
    steps = {(cell.options["prune_steps"], cell.options["finetune_steps"]) for cell in bench().design.cells()}
    assert steps == {(30, 70)}


def test_a_cell_is_another_one_if_anything_that_decides_it_is_another():
    """Its name has a hash of its options; more seeds, budgets or contenders leave it what it is."""
    first = bench().design.cells()[0].study
    assert first.startswith("bench-demo-uniform-25-t0-s0-")
    assert bench(contenders=("uniform", "mggc", "magnitude"), seeds=5).design.cells()[0].study == first
    assert bench(tasks={"demo": {**TASK, "n_train": 100}}).design.cells()[0].study != first
    assert bench(tasks={"demo": {**TASK, "teacher_steps": 7}}).design.cells()[0].study != first


def test_given_weights_count_by_their_content(tmp_path):
    """Other weights in a file of the same name are another teacher, and other cells."""
    file = tmp_path / "teacher.safetensors"
    names = []
    for content in (b"one", b"two"):
        file.write_bytes(content)
        names.append(bench(tasks={"demo": {**TASK, "teacher": str(file)}}).design.cells()[0].study)
    assert names[0] != names[1]


def test_trained_teachers_have_seeds_and_given_ones_share_the_images():
    """The seed of data and teacher is the task's own, counted up for each teacher that is trained."""
    trained = bench(tasks={"demo": {**TASK, "seed": 5}}, teachers=2, seeds=[3]).design.cells()
    assert [(cell.options["seed"], cell.options["trial_seed"]) for cell in trained[::2]] == [(5, 3), (6, 3)]
    given = bench(tasks={"demo": {**TASK, "teacher": ["a.pth", "b.pth"]}}, seeds=1).design.cells()
    assert [cell.options["seed"] for cell in given] == [0, 0, 0, 0]


def test_a_contender_changes_options_of_its_own():
    """Its method's settings and its part of a recipe stand beside those of the task."""
    mine = Contender({"methods": ("coronet",), "recipe": {"lr": 0.1}, "method_settings": {"coronet.init": "random"}})
    options = bench(
        tasks={"demo": {**TASK, "recipe": {"batch_size": 2}, "method_settings": {"mggc.prior": 0.0}}},
        contenders={"mine": mine},
    ).design.cells()[0].options  # fmt: skip
    assert (options["recipe"]["lr"], options["recipe"]["batch_size"]) == (0.1, 2)
    assert options["method_settings"] == {"coronet.init": "random"}


def test_a_contender_is_named_by_path(tmp_path):
    """A file's method, or a file's `Contender`, takes part under its path."""
    (tmp_path / "own.py").write_text(
        "from ganprune.studies.bench.contender import Contender\n"
        "HALF = Contender({'methods': ('uniform',), 'calibration_images': 0})\n"
        "class Mine:\n    'A method.'\n    widths = 'given'\n    def prune(self, job): raise NotImplementedError\n"
    )
    path = f"{tmp_path}/own.py"
    assert contender_of(f"{path}:HALF").options["calibration_images"] == 0
    assert contender_of(f"{path}:Mine").methods == (f"{path}:Mine",)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"contenders": ("uniform", "uniform")}, "contender 'uniform' is there twice"),
        ({"contenders": ("unifrom",)}, "unknown contender 'unifrom'"),
        ({"contenders": ("widths",)}, "has no plan of its own"),
        ({"contenders": ()}, "has no contender"),
        ({"budgets": ()}, "has no budget"),
        ({"budgets": ("25bananas",)}, "25bananas"),
        ({"seeds": 0}, "number of seeds"),
        ({"seeds": [1, 1]}, "seed '1' is there twice"),
        ({"teachers": 0}, "number of teachers"),
        ({"jobs": 0}, "jobs is not possible"),
        ({"against": "mggc"}, "takes no part"),
        ({"tasks": {}}, "has no task"),
        ({"tasks": {"demo": {"data": "builtin:shapes"}}}, "has no model"),
        ({"tasks": {"demo": {**TASK, "steps": 1}}}, "unknown option 'steps'"),
        ({"tasks": {"demo": {**TASK, "teacher": ["a", "b"]}}, "teachers": 2}, "given teachers"),
        ({"tasks": {"demo": {**TASK, "teacher_discriminator": "d.pth"}}}, "has a discriminator"),
        ({"tasks": {"demo": {**TASK, "objective": "psnr"}}}, "psnr, of which higher is better"),
        ({"artifacts": "s3://bucket/folder"}, "in a folder"),
        ({"name": "../up"}, "invalid name of a study"),
    ],
)
def test_bad_input_is_one_line(values, said):
    """Each is refused before anything is opened."""
    with pytest.raises(UserError, match=said) as refused:
        bench(**values)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("options", [{"budgets": ["5%"]}, {"methods": ("a", "b")}, {"calibration_images": 0}])
def test_a_contender_says_a_method_and_no_budget(options):
    """A contender sets no option that the benchmark decides, and one trial has one method."""
    with pytest.raises(UserError, match="expected"):
        Contender(options)


def test_options_of_a_search_that_do_not_act_are_named():
    """A task's file may be that of a search; what its cells do not take from it is told."""
    (note,) = bench(tasks={"demo": {**TASK, "rungs": (0.5,), "trials": 20}}).design.notes
    assert note.startswith("demo: rungs, trials of a search")
