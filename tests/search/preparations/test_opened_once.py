"""A search on a folder opens each split once and hashes each file once, from the command line to its last trial."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ganprune.gan_models.groups import discovery
from ganprune.gan_models.tasks import paired
from PIL import Image

from ...command_line import call

SEARCH = (
    "--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--data", "pairs", "--image-size", 16, "--budget", "60%",
    "--metric", "shapes", "--methods", "uniform", "--trials", 2, "--teacher-steps", 2, "--finetune-steps", 1,
    "--rungs", "", "--batch-size", 1, "--ndf", 4, "--device", "cpu", "--executor", "local",
)  # fmt: skip


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """Counts of what is opened, hashed and traced, by name, on a folder of pairs."""
    for split in ("train", "test"):
        (tmp_path / "pairs" / split).mkdir(parents=True)
        for i in range(3):
            pixels = np.random.default_rng(i).integers(0, 255, (16, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pairs" / split / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    counts = Counter()
    good_files, file_digest, walk_graph = paired.good_files, hashlib.file_digest, discovery.walk_graph

    def opened(paths, *options, **named):
        counts[f"open {Path(paths[0]).parent.name}"] += 1
        return good_files(paths, *options, **named)

    def hashed(file, *options):
        path = Path(file.name)
        if path.suffix == ".png":
            counts[f"hash {path.parent.name}/{path.name}"] += 1
        return file_digest(file, *options)

    def traced(model, inputs):
        counts["trace"] += 1
        return walk_graph(model, inputs)

    monkeypatch.setattr(paired, "good_files", opened)
    monkeypatch.setattr(hashlib, "file_digest", hashed)
    monkeypatch.setattr(discovery, "walk_graph", traced)
    return counts


def test_a_search_opens_each_split_and_hashes_each_file_once(counted, monkeypatch):
    """Plan, teacher, real features, measuring and two trials in one process share what is open."""
    assert call(monkeypatch, "search", *SEARCH) == 0
    assert {name: n for name, n in counted.items() if name.startswith("open")} == {"open train": 1, "open test": 1}
    hashes = {name: n for name, n in counted.items() if name.startswith("hash")}
    assert hashes == {f"hash {split}/{i}.png": 1 for split in ("train", "test") for i in range(3)}
    assert counted["trace"] == 1
