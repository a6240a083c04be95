"""The grid of pictures: its rows are classes if the generator takes one."""

import io

import numpy as np
import torch
from ganprune.search.config import StudyConfig
from ganprune.search.pictures.shown_pictures import MAX_CLASSES, Column, _first_of_classes, shown_inputs
from ganprune.studies.report.image_grid import draw_grid
from PIL import Image

from ...tiny_study import SMALL, opened

CONDITIONAL = """
from torch import nn, cat
from torch.nn.functional import one_hot

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 3 * 16 * 16)
    def forward(self, z, label):
        return self.last(self.first(cat([z, one_hot(label, 4).float()], 1)).relu()).view(-1, 3, 16, 16).tanh()
"""


def test_rows_are_the_classes_drawn_from_one_latent(tmp_path):
    """Each class of the test images is a row with its name, and a real image of it stands beside."""
    (tmp_path / "net.py").write_text(CONDITIONAL)
    own = {"model": f"{tmp_path / 'net.py'}:Net", "model_args": {}, "input_shape": "latent:4;label:4"}
    config = StudyConfig(name="c", **SMALL | own | {"task": "class_conditional", "task_settings": {}, "image_size": 0})
    bench = opened(config)
    (latents, labels), columns, titles = shown_inputs(bench, "G", 4)
    assert labels.tolist() == [0, 1, 2, 3]
    assert torch.equal(latents, latents[:1].expand(4, -1))
    assert titles == [f"{i} {name}" for i, name in enumerate(bench.test_data.classes)]
    places = {label: place for place, label in _first_of_classes(bench, "G", len(bench.test_data)).items()}
    (real,) = columns
    assert torch.equal(torch.stack(real.images), torch.stack([bench.test_data[places[i]]["target"] for i in range(4)]))
    assert MAX_CLASSES >= 10


def test_titles_of_rows_stand_in_a_margin():
    """Pictures move to the right by what the longest title needs, and no further down."""
    column = Column("one", (torch.zeros(3, 8, 8), torch.ones(3, 8, 8)))
    plain, titled = (
        np.asarray(Image.open(io.BytesIO(draw_grid([column], titles)))) for titles in ((), ("0 cat", "1 elephant"))
    )
    assert titled.shape[0] == plain.shape[0]
    margin = titled.shape[1] - plain.shape[1]
    assert margin > 50
    assert (titled[:, margin:] == plain).all()
    assert (titled[:, :margin] < 128).any()
