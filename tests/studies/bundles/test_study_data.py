"""The data of a study, as exports need it."""

from dataclasses import replace

import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.search.artifacts.study_folder import StudyFolder
from ganprune.studies.bundles.study_data import StudyData
from ganprune.studies.results.outcome import outcome_of

from ...tiny_study import made


def data(**changes) -> StudyData:
    tiny = made()
    outcome = outcome_of(tiny.record)
    return StudyData(replace(outcome, config=replace(outcome.config, **changes)), StudyFolder(tiny.root, "tiny"))


def test_inputs_are_the_studys_and_lie_on_the_cpu():
    """Batches of the recipe's size from the training images, the same ones each time."""
    inputs = data().calibration("G")
    first, again = list(inputs()), list(inputs())
    assert {(tuple(x.shape), x.device.type) for (x,) in first} == {((2, 3, 16, 16), "cpu")}
    assert all(torch.equal(a, b) for (a,), (b,) in zip(first, again, strict=True))


def test_without_its_data_an_export_goes_on_and_a_calibration_says_why(tmp_path):
    """No quality is measured of a file; ranges cannot be calibrated, and the missing folder is named."""
    missing = data(data=str(tmp_path / "gone"))
    missing.outcome = replace(missing.outcome, resolved=None)
    assert missing.measure("G")(lambda x: x) == []
    with pytest.raises(UserError, match=r"calibrated on the study's data, which is needed: .*gone"):
        missing.calibration("G")()
