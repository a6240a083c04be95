"""The live parts of a study: what is trained before its search."""

import pytest
from ganprune.search.config import StudyConfig
from ganprune.search.setup.study_parts import StudyParts

from ...tiny_study import SMALL


@pytest.mark.parametrize(
    ("given", "trained"),
    [
        ({}, True),
        ({"teacher": "g.pth"}, True),
        ({"teacher": "g.pth", "teacher_discriminator": "d.pth"}, False),
        ({"teacher": "g.pth", "task": "denoise", "task_settings": {"weight_adversarial": 0}}, False),
        ({"task": "denoise", "task_settings": {"weight_adversarial": 0}}, True),
    ],
)
def test_nothing_is_trained_before_if_all_that_is_needed_is_given(given, trained):
    """A discriminator without a part in the loss is not needed; a generator always is."""
    config = StudyConfig(**{"name": "s", **SMALL, "task": "paired", **given})
    assert StudyParts(config).trains_before == trained
