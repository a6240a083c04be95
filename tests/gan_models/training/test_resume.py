"""An interrupted run goes on as if it had not been: bit for bit."""

import dataclasses
import json

import pytest
from ganprune.gan_models.files.plain_values import to_json
from ganprune.gan_models.tasks.task_data import open_split
from ganprune.gan_models.training.loop import Recipe, train

from ...data_specs import square
from .small import data_for, networks_for, same, task_named, teachers_for, weights

RECIPE = Recipe(batch_size=3, lr=2e-3)


class Interrupted(Exception):
    pass


def interrupt_at(step):
    def on_step(done, _losses):
        if done == step:
            raise Interrupted

    return on_step


CASES = {
    "paired": ("paired", {}, RECIPE),
    "paired distilled": ("paired", {}, dataclasses.replace(RECIPE, distill_output=5.0, distill_features=1.0)),
    "unpaired": ("unpaired", {}, RECIPE),
    "one direction": ("unpaired", {"directions": ["BtoA"]}, dataclasses.replace(RECIPE, distill_output=5.0)),
    "unconditional": ("unconditional", {}, dataclasses.replace(RECIPE, d_steps=3)),
    "more terms": (
        "paired",
        {},
        dataclasses.replace(RECIPE, distill_terms={"alignment": 1.0, "ssim": 1.0}, reconstruct_first=0.5),
    ),
    "averaged": ("unpaired", {}, dataclasses.replace(RECIPE, ema=0.3)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("stop", [1, 4, 7])
def test_an_interrupted_run_goes_on_bit_for_bit(case, stop, tmp_path):
    """Stopped at a step and resumed in new networks with other weights: the same weights, curve and pools."""
    name, settings, recipe = CASES[case]
    data = data_for(name)

    def run(seed, folder=None, on_step=None):
        task = task_named(name, **settings)
        networks = networks_for(task, seed)
        teacher = teachers_for(task) if recipe.distils else None
        try:
            record = train(
                task,
                networks,
                data,
                recipe,
                steps=9,
                seed=0,
                teacher=teacher,
                checkpoint_dir=folder,
                checkpoint_every=1,
                on_step=on_step,
            )
        except Interrupted:
            return None
        return weights(networks), record.curve, task.state()

    whole = run(0)
    assert run(0, tmp_path, interrupt_at(stop + 1)) is None
    resumed = run(77, tmp_path)
    assert same(whole[0], resumed[0])
    assert list(whole[1]) == list(resumed[1])
    assert same(whole[2], resumed[2])


def test_a_run_over_augmented_images_resumes_bit_for_bit(tmp_path):
    """Random crops and flips of real datasets are part of what a resume repeats; workers change nothing."""
    data = open_split(square("builtin:shapes", "paired", 8, n_train=10, load_size=11), "train")

    def run(folder=None, on_step=None, workers=0):
        task = task_named("paired")
        networks = networks_for(task)
        train(
            task,
            networks,
            data,
            RECIPE,
            steps=8,
            seed=0,
            checkpoint_dir=folder,
            checkpoint_every=3,
            on_step=on_step,
            workers=workers,
        )
        return weights(networks)

    whole = run()
    with pytest.raises(Interrupted):
        run(tmp_path, interrupt_at(5))
    assert same(whole, run(tmp_path))
    assert same(whole, run(workers=2))


def test_a_rung_stops_the_run_for_good(tmp_path):
    """False at a rung ends the training there; the checkpoint remembers it."""
    for _ in range(2):
        task = task_named("paired")
        record = train(
            task,
            networks_for(task),
            data_for("paired"),
            RECIPE,
            steps=6,
            seed=0,
            rungs=(2, 4),
            on_rung=lambda step, _: step < 4,
            checkpoint_dir=tmp_path,
        )
        assert (record.steps, record.stopped) == (4, True)
        assert json.loads(json.dumps(to_json(record)))["steps"] == 4


def test_a_finished_run_is_not_repeated(tmp_path):
    """Started again, a run that is done returns its record and its weights without a step."""
    task = task_named("paired")
    first = networks_for(task)
    train(task, first, data_for("paired"), RECIPE, steps=3, seed=0, checkpoint_dir=tmp_path)
    second = networks_for(task, seed=5)
    record = train(
        task,
        second,
        data_for("paired"),
        RECIPE,
        steps=3,
        seed=0,
        checkpoint_dir=tmp_path,
        on_step=lambda *_: pytest.fail("a step was made"),
    )
    assert record.steps == 3
    assert same(weights(first), weights(second))


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    """Other steps, seed, recipe, task settings or network shapes are named, in one line."""
    data = data_for("paired")
    task = task_named("paired")
    train(task, networks_for(task), data, RECIPE, steps=2, seed=0, checkpoint_dir=tmp_path)
    other = dataclasses.replace(RECIPE, lr=1e-3)
    cases = [
        (task, networks_for(task), RECIPE, 3, 0, "steps"),
        (task, networks_for(task), RECIPE, 2, 1, "seed"),
        (task, networks_for(task), other, 2, 0, "recipe"),
        (task_named("paired", weight_l1=1.0), networks_for(task), RECIPE, 2, 0, "settings"),
        (task, networks_for(task, width=5), RECIPE, 2, 0, "another shape"),
    ]
    for its_task, networks, recipe, steps, seed, message in cases:
        with pytest.raises(ValueError, match=message) as caught:
            train(its_task, networks, data, recipe, steps=steps, seed=seed, checkpoint_dir=tmp_path)
        assert "\n" not in str(caught.value)
