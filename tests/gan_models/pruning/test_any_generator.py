"""The methods that a search takes by itself prune any generator that can be traced, not only ours."""

from contextlib import suppress

import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.pruning.catalog import make_method, method_spec
from ganprune.gan_models.pruning.method import PruneJob, Target, TrainingContext
from ganprune.gan_models.reconstruction.calibration import Calibration
from ganprune.gan_models.tasks.catalog import TASKS
from ganprune.gan_models.tasks.task import make_task
from ganprune.gan_models.tasks.task_data import open_split
from ganprune.gan_models.training.recipe import Recipe
from ganprune.search.setup.defaults import METHODS

from ...data_specs import square
from ..network_cases import CASES
from ..training.small import PATCH, task_named
from .jobs import proposal

LEARNED = [name for name in METHODS if method_spec(name).widths == "learned"]
JUDGES = ("basic", "n_layers", "pixel", "multiscale", "sngan", "sagan", "stylegan2", "unet_spectral", "projection")
SOUND = ("hifigan_v1", "hifigan_v2", "hifigan_v3")  # the tasks here are of images
LARGER = ("rrdbnet_6blocks", "srresnet", "foreign srresnet")  # their output has another size than their input


def task_and_data(inputs: InputSpec):
    """A task that gives a generator its inputs, and some data: one of ours with random images, or another package's."""
    if len(inputs) == 1:
        image = bool(inputs.pixels)
        settings = {} if image else {"latent": inputs.shape[0], "discriminator": {"model": "sngan", "ndf": 4}}
        side = inputs.pixels[0] if image else 32
        data = [{key: torch.rand(3, side, side) * 2 - 1 for key in ("input", "target")} for _ in range(4)]
        return task_named("paired" if image else "unconditional", **settings), data
    kinds = [one.kind for one in inputs.inputs]
    random = [{one.name: one.example(1, seed)[0] for one in inputs.inputs} for seed in range(4)]
    if any(one.is_map for one in inputs.inputs):
        task = task_named(
            "label_to_image", inputs=inputs.text, discriminator={"model": "multiscale", "ndf": 4, "n_layers": 1}
        )
        return task, [{**each, "target": torch.rand(3, *inputs.inputs[0].shape) * 2 - 1} for each in random]
    if inputs.names == ("image", "holes"):
        return task_named("inpaint", discriminator=PATCH), [
            {"image": each["image"], "holes": each["holes"], "target": each["image"]} for each in random
        ]
    if kinds in (["image", "label"], ["image", "latent"]):
        task = task_named("paired", inputs=inputs.text, discriminator=PATCH)
        return task, [
            {**each, "input": each["image"], "target": torch.rand(3, *inputs.pixels) * 2 - 1} for each in random
        ]
    if inputs.of_kind("label"):
        latent, label = inputs.inputs
        task = task_named("class_conditional", inputs=f"latent:{latent.shape[0]};label:{label.classes}")
        data = [{"target": torch.rand(3, 32, 32) * 2 - 1, "label": torch.tensor(each)} for each in range(4)]
        return task, data
    side = inputs.pixels[0]
    output = OutputSpec(3, (side, side))
    # Ours read folders of any inputs, and have no built-in set of them.
    for name, row in TASKS.items():
        if name in TASKS.own:
            continue
        with suppress(UserError):
            kind = row.load()
            task = make_task(name, kind.complete(kind.fit({}, "model", inputs, output), output))
            return task, open_split(square(row.builtin[0], name, side, n_train=4), "train")
    raise AssertionError(f"no task of the table gives {inputs}")


@pytest.mark.parametrize("method", LEARNED)
@pytest.mark.parametrize("name", [name for name in CASES if name not in (*JUDGES, *LARGER, *SOUND)])
def test_a_default_method_prunes_any_generator(name: str, method: str):
    """One step of training, or one scored plan: the plan is at or under the target, and its network runs."""
    make, inputs = CASES[name]
    torch.manual_seed(0)
    model = make().eval().requires_grad_(False)
    task, data = task_and_data(inputs)
    groups = find_groups(model, inputs.examples())
    target = Target("macs", 0.5 * groups.form.dense())
    scored = {"evaluations": 1} if method_spec(method).calibrated else {}
    calibration = Calibration(lambda: inputs.examples(8), 0) if scored else None
    job = PruneJob(
        model, "G", groups, proposal(method, target, **scored), target, 0,
        TrainingContext(
            task, data, {"G": model}, task.make_discriminators(0), Recipe(batch_size=2, distill_output=10.0),
            torch.device("cpu"), 1, encoder=lambda images: torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1),
        ),
        calibration=calibration,
    )  # fmt: skip
    pruned = make_method(method).prune(job)
    assert groups.form.predict(groups.form.widths(pruned.plan.widths)) <= job.target.value
    assert pruned.model(*inputs.examples(2)).isfinite().all()
