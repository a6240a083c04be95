"""The options of quality: which encoder and metrics, and where their weights are."""

from pathlib import Path

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.training.recipe import Recipe
from ganprune.search.config import StudyConfig
from ganprune.search.setup.open_choices import decided

SMALL = {"name": "q", "model": "resnet", "data": "builtin:shapes", "budgets": ("25%",), "metric": "shapes"}


def test_a_study_without_them_keeps_its_fingerprint():
    """Metrics and weights that nobody asked for leave a stored study's fingerprint what it was; asked for, they count."""
    plain = StudyConfig(**SMALL)
    stored = {name: value for name, value in plain.to_json().items() if name not in ("also_measure", "weights")}
    assert StudyConfig.from_json(stored).fingerprint() == plain.fingerprint()
    assert StudyConfig(**SMALL, also_measure=("a.py:B",)).fingerprint() != plain.fingerprint()
    assert StudyConfig(**SMALL, weights={"lpips": "w"}).fingerprint() != plain.fingerprint()


def test_names_are_checked_before_anything_is_opened():
    """An unknown encoder or metric is refused by name; an object by path is looked for when the study is resolved."""
    with pytest.raises(UserError, match="metric 'vgg' is unknown; use auto, inception, lite0, shapes"):
        StudyConfig(**SMALL | {"metric": "vgg"}).checked()
    with pytest.raises(UserError, match=r"unknown metric 'ssmi'.*Did you mean ssim"):
        StudyConfig(**SMALL, also_measure=("ssmi",)).checked()
    with pytest.raises(UserError, match=r"metric file .*gone\.py cannot be read"):
        decided(StudyConfig(**SMALL, also_measure=("gone.py:Metric",)))
    with pytest.raises(UserError, match=r"encoder file .*gone\.py cannot be read"):
        decided(StudyConfig(**SMALL | {"metric": "gone.py:Encoder"}))


def test_weights_are_one_mapping():
    """The two older options are entries of the mapping, which wins."""
    config = StudyConfig(**SMALL, inception_weights="a", vgg_weights="b", weights={"vgg": "c", "lpips": "d"})
    assert config.weight_files == {"inception": Path("a"), "vgg": Path("c"), "lpips": Path("d")}
    assert StudyConfig(**SMALL).weight_files == {}


def test_paths_are_absolute_once_a_study_is_resolved(tmp_path, monkeypatch):
    """A worker in another folder finds own metrics and weights."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        "class Mine:\n    better = 'lower'\n    def prepare(self, real): ...\n    def reset(self, full): ...\n"
        "    def update(self, outputs, references): ...\n    def compute(self): return []\n"
    )
    config, *_ = decided(StudyConfig(**SMALL, also_measure=("mine.py:Mine",), weights={"lpips": "w.pt"}))
    assert config.also_measure == (f"{tmp_path / 'mine.py'}:Mine",)
    assert config.weights == {"lpips": str(tmp_path / "w.pt")}


def test_a_recipe_that_cannot_train_is_refused_before_a_search():
    """A misspelled term is named with the near one; first steps without any loss are refused, with what to give."""
    misspelled = Recipe(distill_terms={"grma": 1.0})
    with pytest.raises(UserError, match=r"distillation term 'grma'.*Did you mean gram"):
        decided(StudyConfig(**SMALL, recipe=misspelled))
    latents = SMALL | {"model": "sngan_32", "task": "unconditional"}
    with pytest.raises(UserError, match=r"reconstruct_first and no distillation.*Try --distill 10"):
        decided(StudyConfig(**latents, recipe=Recipe(reconstruct_first=0.1)))
    decided(StudyConfig(**latents, recipe=Recipe(reconstruct_first=0.1, distill_output=1.0)))


def test_what_a_search_may_choose_of_the_recipe_is_checked():
    """A setting that is none is named with all that are; one that changes nothing in this task is refused."""
    with pytest.raises(UserError, match=r"got 'gram'; expected one of ema.*distill_gram"):
        decided(StudyConfig(**SMALL, search_recipe=("gram",)))
    unjudged = SMALL | {"task": "denoise", "task_settings": {"weight_adversarial": 0}}
    with pytest.raises(UserError, match="distill_judge would change nothing"):
        decided(StudyConfig(**unjudged, search_recipe=("ema", "distill_judge")))
    assert StudyConfig(**SMALL, search_recipe=("ema",)).fingerprint() != StudyConfig(**SMALL).fingerprint()
