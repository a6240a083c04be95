"""The contract of every row of the tasks, and of a user's own task of two inputs."""

from contextlib import suppress
from pathlib import Path

import pytest
import torch
from ganprune.gan_models.data.dataset import batches, in_order
from ganprune.gan_models.data.spec import BUILTIN, SPLITS, DataSpec
from ganprune.gan_models.files import open_table
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.catalog import NETWORKS
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.tasks.catalog import NEEDED_ATTRIBUTES, TASKS, TaskSpec, builtin_task
from ganprune.gan_models.tasks.task import Task, make_task
from ganprune.gan_models.tasks.task import shown as arguments_of
from ganprune.gan_models.tasks.task_data import detect_task, fingerprint, open_split
from ganprune.gan_models.tasks.task_parts import TaskDefaults, with_defaults
from PIL import Image

from ...data_specs import of_inputs, square

OWN = f"{Path(__file__).parents[1] / 'two_inputs.py'}:StyledTask"
NAMES = [*TASKS, OWN]
SIZE = 16
OUTPUT = OutputSpec(3, (SIZE, SIZE))
GIVEN = {
    "unconditional": "latent:6",
    "style_based": "latent:6",
    "class_conditional": "latent:6;label:4",
    "label_to_image": "label:6,16,16;edges=mask:1,16,16",
    "inpaint": "3,16,16;holes=mask:1,16,16",
    OWN: "photo=3,16,16;style=latent:5",
}
SETTINGS = {"super_resolution": {"degrade": "noise"}}  # at one size nothing but noise or blur is left to restore


def fitting(name: str) -> InputSpec:
    """Return the inputs of the first generator of the table that the task accepts."""
    if name in GIVEN:
        return InputSpec.parse(GIVEN[name])
    for row in NETWORKS.values():
        with suppress(UserError):
            TASKS.find(name).load().fit(SETTINGS.get(name, {}), "model", inputs := row.spec.at_size(SIZE), OUTPUT)
            return inputs
    raise AssertionError(f"no network of the table fits the task {name}")


def spec_of(name: str) -> DataSpec:
    given = {"n_train": 6, "n_test": 4, "settings": SETTINGS.get(name, {})}
    if name in ("label_to_image", "inpaint"):
        return of_inputs(TASKS.find(name).builtin[0], name, GIVEN[name], **given)
    return square(TASKS.find(name).builtin[0], name, SIZE, **given)


def task_of(name: str, inputs: InputSpec):
    kind = TASKS.find(name).load()
    task = make_task(name, kind.complete(kind.fit(SETTINGS.get(name, {}), "model", inputs, OUTPUT), OUTPUT), seed=3)
    if task.reads_teacher:
        task.teacher = lambda generator, given: -given[0]
    return task


@pytest.mark.parametrize("name", NAMES)
class TestEveryTask:
    def test_its_batches_feed_a_generator_of_fitting_inputs(self, name):
        """Inputs have the shapes that the specification says, the same each time; references are images or none."""
        spec = fitting(name)
        task = task_of(name, spec)
        batch = next(batches(open_split(spec_of(name), "train"), 3, seed=1))
        for generator in task.generator_names:
            given, again = task.inputs(batch, generator), task.inputs(batch, generator)
            assert [tuple(x.shape) for x in given] == [(3, *one.shape) for one in spec.inputs]
            assert all(torch.equal(a, b) for a, b in zip(given, again, strict=True))
            reference, reals = task.reference(batch, generator), task.reals(batch, generator)
            assert (reference is not None) == task.has_reference
            assert reals.shape == (3, 3, SIZE, SIZE)
            if reference is not None:
                assert torch.equal(reference, reals)
            for shown in task.columns(batch, generator).values():
                assert shown.shape in ((3, 3, SIZE, SIZE), (3, 1, SIZE, SIZE))
                assert -1 <= float(shown.min()) <= float(shown.max()) <= 1
            assert torch.equal(task.reals(task.with_reals(batch, generator, -reals), generator), -reals)

    def test_its_losses_reach_every_generator_and_discriminator(self, name):
        """A step of each has finite terms and gradients; the task's settings make the same task again."""
        spec = fitting(name)
        task = task_of(name, spec)
        assert type(task).from_json(task.settings_json(), 3).settings_json() == task.settings_json()

        class Plain(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = torch.nn.Parameter(torch.full((1,), 0.5))

            def forward(self, *inputs):
                shift = sum(x.float().mean() for x in inputs if x.dim() < 4)
                first = inputs[0] if inputs[0].dim() == 4 else torch.ones(len(inputs[0]), 3, SIZE, SIZE)
                return torch.tanh(self.scale * first + shift)

        generators = {generator: Plain() for generator in task.generator_names}
        judges = task.make_discriminators(1)
        batch = next(batches(open_split(spec_of(name), "train"), 2, seed=1))
        terms, outputs = task.generator_losses(generators, judges, batch)
        assert outputs.keys() == generators.keys()
        sum(terms.values()).backward()
        assert all(float(each.scale.grad.abs().sum()) > 0 for each in generators.values())
        loss = task.discriminator_loss(outputs, judges, batch)
        loss.backward()
        assert bool(torch.isfinite(loss))
        for generator in task.generator_names:
            shown = arguments_of(task, task.inputs(batch, generator), outputs[generator])
            assert bool(torch.isfinite(judges[generator](*shown)).all())

    def test_each_input_and_each_real_image_of_a_split_is_counted(self, name):
        """Measuring in order sees as many different real images as the task says."""
        task, data = task_of(name, fitting(name)), open_split(spec_of(name), "test")
        for generator in task.generator_names:
            assert 0 < task.n_inputs(data, generator) <= len(data)
            seen = [
                image.numpy().tobytes()
                for batch in in_order(data, 2, task.n_reals(data, generator))
                for image in task.reals(batch, generator)
            ]
            assert len(set(seen)) == task.n_reals(data, generator)

    def test_a_generator_that_it_does_not_feed_is_refused_in_one_line(self, name):
        """Audio is what no task of these provides; the message names the model."""
        if name == OWN:
            pytest.skip("a user's own task checks what it likes")
        kind, refused = TASKS.find(name).load(), []
        for text in ("audio:1,100;label:3", "latent:8"):
            with suppress(UserError):
                kind.fit({}, "mine", InputSpec.parse(text), OUTPUT)
                continue
            with pytest.raises(UserError, match="mine") as caught:
                kind.fit({}, "mine", InputSpec.parse(text), OUTPUT)
            refused.append(str(caught.value))
        assert refused
        assert not any("\n" in message for message in refused)

    def test_splits_are_disjoint_and_the_content_has_a_fingerprint(self, name):
        """No image of one split is in another; the fingerprint does not depend on how images are read."""
        task = task_of(name, fitting(name))
        first = task.generator_names[0]
        seen = [
            {image.numpy().tobytes() for batch in in_order(open_split(spec_of(name), split), 2) for image in
             task.reals(batch, first)}
            for split in SPLITS
        ]  # fmt: skip
        assert len(set().union(*seen)) == sum(map(len, seen))
        small = square(spec_of(name).source, name, 2 * SIZE, n_train=6, n_test=4, flip=False)
        assert fingerprint(spec_of(name)) == fingerprint(small)


def test_every_built_in_set_serves_a_task_first():
    """The first row of the table that can read it."""
    assert {source: builtin_task(source) for source in BUILTIN} == {
        "builtin:shapes": "paired",
        "builtin:stripes": "unpaired",
        "builtin:latents": "distill",
    }


def test_a_class_that_is_no_task_is_refused_by_path():
    """The message names what is missing."""
    with pytest.raises(UserError, match=r"lacks from_json, settings_json, fit, .* Try a subclass of"):
        TASKS.find("torch.nn:Linear")
    with pytest.raises(UserError, match="Did you mean paired"):
        make_task("pared")


def test_methods_that_a_task_needs_are_those_of_its_protocol():
    """But for those with a default, and those that read folders."""
    named = {name for name, value in vars(Task).items() if callable(value) or isinstance(value, classmethod)}
    given = {"open", "detect", "files", *vars(TaskDefaults)}
    assert {name for name in named if not name.startswith("_")} - given == {*NEEDED_ATTRIBUTES}


def test_another_packages_task_is_asked_before_the_one_that_takes_any_folder(monkeypatch, tmp_path):
    """Particular layouts of ours come first, then other packages', then any folder of images; a broken package warns."""

    class Point:
        """An entry point of a package that is not installed."""

        module, dist = "there", None

        def __init__(self, name, row):
            self.name, self.row = name, row

        def load(self):
            if self.row is None:
                raise ImportError("no numbers here")
            return self.row

    points = {
        "broken": (Point("broken", None),),
        "numbers": (Point("numbers", TaskSpec(f"{__name__}:Numbers", "a file numbers.npy")),),
    }
    monkeypatch.setattr(open_table, "_entry_points", lambda group: points if group == TASKS.group else {})
    (tmp_path / "numbers.npy").write_bytes(b"")
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    with pytest.warns(UserWarning, match="no numbers here"):
        assert detect_task(str(tmp_path)) == "numbers"
    (tmp_path / "numbers.npy").unlink()
    with pytest.warns(UserWarning, match="no numbers here"):
        assert detect_task(str(tmp_path)) == "unconditional"


class Numbers:
    """As much of a task as is asked for here."""

    @classmethod
    def detect(cls, root):
        return (root / "numbers.npy").is_file()


class Bare:
    """A task of a user's own that inherits nothing."""

    has_judge = False


def test_a_class_that_inherits_nothing_has_the_defaults_of_what_it_leaves_out():
    """Its own parts stay, its name and the class itself too; one that inherits them is taken as it is."""
    kind = with_defaults(Bare)
    assert (kind.has_judge, kind.reads_teacher, kind.resizes, kind.border) == (False, False, True, 0)
    assert kind.picture_sizes(spec_of("paired"), 2) == []
    assert (kind.__name__, kind.__module__) == ("Bare", __name__)
    assert not hasattr(Bare, "border")
    assert with_defaults(kind) is kind
    assert with_defaults(Bare) is kind


def test_every_task_by_path_is_loaded_with_the_defaults(tmp_path):
    """A row's class has each of them."""
    methods = " = ".join(name for name in NEEDED_ATTRIBUTES if name != "from_json")
    (tmp_path / "bare.py").write_text(f"class Task:\n    def from_json(self): ...\n    {methods} = from_json\n")
    assert TASKS.find(f"{tmp_path / 'bare.py'}:Task").load().has_judge
