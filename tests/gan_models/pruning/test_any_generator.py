"""The methods that a search takes by itself prune any generator that can be traced, not only ours."""

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.pruning.catalog import make_method, method_spec
from ganprune.gan_models.pruning.method import PruneJob, Target, TrainingContext
from ganprune.gan_models.training.recipe import Recipe
from ganprune.search.setup.defaults import METHODS

from ..network_cases import CASES
from ..training.small import task_named
from .jobs import proposal

LEARNED = [name for name in METHODS if method_spec(name).widths == "learned"]
JUDGES = ("basic", "n_layers", "pixel", "sngan", "foreign srresnet")  # no generators, or of another size than its input


@pytest.mark.parametrize("method", LEARNED)
@pytest.mark.parametrize("name", [name for name in CASES if name not in JUDGES])
def test_a_default_method_prunes_any_generator(name: str, method: str):
    """One step of training, then a plan at or under the target whose network runs."""
    make, shape = CASES[name]
    torch.manual_seed(0)
    model = make().eval().requires_grad_(False)
    image = len(shape) == 3
    settings = {} if image else {"latent": shape[0], "discriminator": {"model": "sngan", "ndf": 4}}
    task = task_named("paired" if image else "unconditional", **settings)
    side = shape[1] if image else 32
    data = [{key: torch.rand(3, side, side) * 2 - 1 for key in ("input", "target")} for _ in range(4)]
    groups = find_groups(model, torch.zeros(1, *shape))
    target = Target("macs", 0.5 * groups.form.dense())
    job = PruneJob(
        model, "G", groups, proposal(method, target), target, 0,
        TrainingContext(
            task, data, {"G": model}, task.make_discriminators(0), Recipe(batch_size=2, distill_output=10.0),
            torch.device("cpu"), 1, encoder=lambda images: torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1),
        ),
    )  # fmt: skip
    pruned = make_method(method).prune(job)
    assert groups.form.predict(groups.form.widths(pruned.plan.widths)) <= job.target.value
    assert pruned.model(torch.zeros(2, *shape)).isfinite().all()
