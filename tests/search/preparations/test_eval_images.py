"""The real images that a quality is measured against are those of the task with the study's own settings."""

import torch
from ganprune.evaluators.features.catalog import load_encoder
from ganprune.search.preparations.eval_images import RealImages

from ...data_specs import square

TASK = """
from ganprune.gan_models.tasks.paired import PairedTask


class Scaled(PairedTask):
    @classmethod
    def from_json(cls, settings, seed):
        task = super().from_json({}, seed)
        task.scale = settings.get("scale", 1.0)
        return task

    def reals(self, batch, name):
        return super().reals(batch, name) * self.scale
"""


def test_real_images_follow_the_settings_of_their_task(tmp_path):
    """If a task's real images depend on a setting, images and cached features are those of the given setting."""
    (tmp_path / "own.py").write_text(TASK)
    spec = square("builtin:shapes", f"{tmp_path}/own.py:Scaled", n_train=4, n_test=4)
    plain, half = RealImages(spec, "G"), RealImages(spec, "G", settings={"scale": 0.5})
    assert torch.equal(torch.cat(list(half.batches())), 0.5 * torch.cat(list(plain.batches())))
    encoder = load_encoder("shapes")
    assert not torch.equal(plain.features(encoder, "cpu").features, half.features(encoder, "cpu").features)
