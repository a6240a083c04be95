"""Quality of untouched inputs, used as outputs: measured once, with the teacher."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.eval_images import inputs_of
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.preparations.prepared_study import PreparedStudy

from ...tiny_study import SMALL, made, new_folder, opened

LATENTS = {"model": "sngan_32", "model_args": {"ngf": 8}, "task": "unconditional", "image_size": 32, "n_test": 4}


@pytest.fixture(scope="module")
def paired():
    """The tiny study of pairs, with what is prepared of it."""
    study = opened(StudyConfig(name="paired", **SMALL))
    return study, make_teacher(study, new_folder())


def value(measured, name):
    return next(m.value for m in measured if m.name.partition("[")[0] == name)


def test_an_input_is_compared_with_its_target(paired):
    """Its mean difference is that of inputs and targets, computed here; its name is that of the teacher's quality."""
    study, teacher = paired
    images = list(inputs_of(study.task(), study.test_data, "G"))
    given, wanted = (torch.cat([batch[key] for batch in images]) for key in ("input", "target"))
    assert value(teacher.inputs, "l1") == pytest.approx(float((given - wanted).abs().mean()), abs=1e-6)
    assert [m.name for m in teacher.inputs] == [m.name for m in teacher.measurements]


def test_it_is_measured_once(paired, monkeypatch):
    """A second call, as on a resume, reads it from the teacher's record."""
    study, teacher = paired
    monkeypatch.setattr("ganprune.search.preparations.quality.StudyQuality.measure_inputs", None)
    assert make_teacher(study, Path(study.prepared.folder)).inputs == teacher.inputs


def test_a_study_has_it_on_record():
    """A study that is read from its database has the input's row."""
    assert made().record.attributes["ganprune.teacher"]["inputs"]


def test_an_unpaired_input_is_compared_with_the_other_domain():
    """It is the distance of the untouched images of one domain to those of the other; there is no target."""
    config = StudyConfig(**{**SMALL, "data": "builtin:stripes"}, name="unpaired", prune_network="BtoA")
    study = opened(config)
    inputs = make_teacher(study, new_folder()).inputs
    assert inputs[0].name.startswith("fd[shapes")
    assert inputs[0].value > 0
    assert "l1" not in [m.name for m in inputs]


def test_latents_have_no_row():
    """A generator that takes no image has nothing to be compared with."""
    study = opened(StudyConfig(**{**SMALL, "task_settings": {}, **LATENTS}, name="latents"))
    assert make_teacher(study, new_folder()).inputs == ()


def test_an_input_of_another_size_is_resized_and_a_gray_one_spread(paired):
    """A gray input of half the size is compared as an image of the output's size and channels."""
    study, _ = paired

    class Small(PreparedStudy):
        """The same study, whose task gives gray inputs of half the size."""

        def task(self):
            task = super().task()
            full = task.inputs
            task.inputs = lambda batch, name: (full(batch, name)[0].mean(1, keepdim=True)[:, :, ::2, ::2],)
            return task

    small = Small(study.config, study.prepared, like=study, output=study.output)
    small.config = replace(study.config, model="nets.py:net", input_shape="1,8,8")
    assert small.config.inputs == InputSpec.parse("1,8,8")
    assert 0 < value(small.quality.measure_inputs(), "l1") < 2
