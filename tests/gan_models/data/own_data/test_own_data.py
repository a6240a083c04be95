"""A user's own data: its splits, its items under seeded random numbers, and what is refused of them."""

from pathlib import Path

import pytest
import torch
from ganprune.gan_models.data.dataset import batches
from ganprune.gan_models.data.spec import DataSpec, PictureForm, is_own
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.tasks.task_data import Splits, detect_task, fingerprint, picture_sizes

HEAD = "import random\nimport numpy as np\nimport torch\nfrom torch.utils.data import Dataset, TensorDataset\n"
IMAGE = "torch.zeros(3, 16, 16)"


def written(folder: Path, body: str, name: str = "make") -> str:
    """Return the reference of an object of a file."""
    file = folder / "my_data.py"
    file.write_text(HEAD + body)
    return f"{file}:{name}"


def spec_of(reference: str, task: str = "unconditional", inputs: str = "latent:4", **values) -> DataSpec:
    """Return the data of a generator of images 3 x 16 x 16."""
    stated = InputSpec.parse(inputs)
    return DataSpec(reference, task, stated, PictureForm(3, 16, 16), own_inputs=stated, **values)


def of_items(folder: Path, items: str) -> DataSpec:
    """Return the data of an unconditional task whose splits are a list."""
    return spec_of(written(folder, f"def make():\n    return {{'train': {items}, 'test': [{IMAGE}] * 3}}\n"))


@pytest.mark.parametrize(
    ("source", "own"),
    [
        ("my_data.py:make", True), ("/a b/my_data.py:Mine", True), ("package.module:make", True), ("x.py:make()", True),
        ("builtin:shapes", False), ("folder", False), ("C:/pictures", False), ("runs:1", False), ("my_data.py", False),
    ],
)  # fmt: skip
def test_data_by_path_are_told_from_folders_and_built_in_sets(source, own):
    """A folder may have a colon in its name."""
    assert is_own(source) == own


def test_a_file_without_a_name_behind_it_is_refused(tmp_path):
    """The line says how to write it."""
    (tmp_path / "my_data.py").write_text("")
    with pytest.raises(UserError, match=r"my_data.py:NAME"):
        detect_task(str(tmp_path / "my_data.py"))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (f"def make():\n    return {{'train': [{IMAGE}] * 5, 'valid': [{IMAGE}] * 4, 'test': [{IMAGE}] * 3}}", "make"),
        (f"def make(split):\n    return [{IMAGE}] * {{'train': 5, 'val': 4, 'test': 3}}[split]", "make"),
        (f"SETS = {{'train': [{IMAGE}] * 5, 'select': [{IMAGE}] * 4, 'test': TensorDataset(torch.zeros(3, 3, 16, 16))}}",
         "SETS"),
        (f"class Mine:\n    train, val, test = [{IMAGE}] * 5, [({IMAGE}, 7)] * 4, [{{'image': {IMAGE}}}] * 3", "Mine"),
        ("class Mine(Dataset):\n    def __init__(self, split):\n        self.n = {'train': 5, 'val': 4, 'test': 3}[split]\n"
         f"    def __len__(self):\n        return self.n\n    def __getitem__(self, index):\n        return {IMAGE}", "Mine"),
    ],
)  # fmt: skip
def test_splits_come_from_a_function_a_class_or_a_value(tmp_path, body, name):
    """Each has its own length, and images by name, in tuples, or alone."""
    splits = Splits(spec_of(written(tmp_path, body, name), selects=True))
    assert [len(splits.open(split)) for split in ("train", "select", "test")] == [5, 4, 3]
    assert splits.open("test")[2]["target"].shape == (3, 16, 16)
    splits.examined()


def test_without_validation_items_a_part_of_the_training_items_is_chosen_by(tmp_path):
    """No item is in both; a file loaded anew, as in a worker, has the same ones apart."""
    body = "def make():\n    return {'train': [torch.full((3, 16, 16), i / 100) for i in range(100)], 'test': [torch.ones(3, 16, 16)] * 60}\n"
    seen = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        splits = Splits(spec_of(written(folder, body), selects=True))
        seen.append(
            [
                {float(splits.open(s)[i]["target"][0, 0, 0]) for i in range(len(splits.open(s)))}
                for s in ("train", "select")
            ]
        )
    assert seen[0] == seen[1]
    assert [len(each) for each in seen[0]] == [90, 10]
    assert not seen[0][0] & seen[0][1]


def test_what_a_dataset_draws_follows_from_seed_and_step(tmp_path):
    """Augmentation by torch's, NumPy's and Python's random numbers: a batch is the same again, and differs by epoch."""
    reference = written(
        tmp_path,
        "class Noisy(Dataset):\n    def __init__(self, split):\n        pass\n    def __len__(self):\n        return 4\n"
        "    def __getitem__(self, index):\n"
        "        value = torch.rand(()) / 3 + np.random.rand() / 3 + random.random() / 3\n"
        "        return torch.full((3, 16, 16), float(value))\n",
        "Noisy",
    )
    images = Splits(spec_of(reference)).open("train")
    state = torch.get_rng_state()
    first, second = (next(batches(images, 4, seed=1, start_step=step))["target"] for step in (0, 1))
    again = next(batches(images, 4, seed=1, start_step=1))["target"]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(second, again)
    assert not torch.equal(first, second)
    assert torch.equal(images[2]["target"], images[2]["target"])


def test_values_of_the_users_range_become_ours(tmp_path):
    """Float images are of the generator's range, uint8 of 0 to 255; masks, label maps and labels are as inputs have them."""
    body = (
        "ITEM = {'photo': torch.full((3, 16, 16), 0.75), 'hole': torch.ones(1, 16, 16, dtype=torch.bool),\n"
        "        'parts': torch.full((16, 16), 2), 'kind': 1, 'style': torch.arange(2.), \n"
        "        'target': torch.full((3, 16, 16), 255, dtype=torch.uint8)}\n"
        "SETS = {'train': [ITEM] * 2, 'test': [ITEM] * 2}\n"
    )
    inputs = "photo=3,16,16@0,1;hole=mask:1,16,16;parts=label:3,16,16;kind=label:2;style=vector:2"
    spec = spec_of(written(tmp_path, body, "SETS"), "paired", inputs, own_range=(0.0, 1.0))
    (entry,) = {0: Splits(spec).open("train")[0]}.values()
    assert entry["photo"].unique().tolist() == pytest.approx([0.5], abs=1e-6)
    assert entry["target"].unique().tolist() == [1.0]
    assert (entry["hole"].unique().tolist(), entry["parts"].unique().tolist()) == ([1.0], [2])
    assert (entry["parts"].dtype, entry["kind"].item(), entry["style"].tolist()) == (torch.int64, 1, [0.0, 1.0])


def test_the_fingerprint_follows_the_content_or_is_the_users_own(tmp_path):
    """One changed pixel of one item is another set; a fingerprint of one's own is believed, and items are not all read."""
    body = "def make():\n    images = torch.zeros(200, 3, 16, 16)\n    images[{}, 0, 0, 0] = {}\n    return {{'train': images, 'test': images[:3]}}\n"
    content = [
        fingerprint(spec_of(written(tmp_path, body.format(i, value)))) for i, value in ((5, 0), (5, 0.5), (6, 0))
    ]
    assert content[0] == content[2] != content[1]
    own = [
        fingerprint(spec_of(written(tmp_path, body.format(7, value) + f"make.fingerprint = {said}\n")))
        for value, said in ((0, "'a'"), (0.5, "'a'"), (0, "3"))
    ]
    assert own[0] == own[1] != own[2]


def test_the_task_is_told_by_the_items_names(tmp_path):
    """Dictionaries say it, and tuples do not."""
    body = f"P = {{'train': [{{'input': {IMAGE}, 'target': {IMAGE}}}]}}\nU = {{'train': {{'A': [{IMAGE}], 'B': [{IMAGE}]}}}}\nT = {{'train': [({IMAGE}, 1)]}}\n"
    reference = written(tmp_path, body)
    assert detect_task(reference.replace(":make", ":P"), ["image"]) == "paired"
    assert detect_task(reference.replace(":make", ":U"), ["image"]) == "unpaired"
    with pytest.raises(UserError, match="do not say their task: got a tuple of 2"):
        detect_task(reference.replace(":make", ":T"))


def test_sizes_are_those_of_the_first_item(tmp_path):
    """A generator that is given no size takes the data's."""
    reference = written(tmp_path, "SETS = {'train': [(torch.zeros(3, 24, 8), torch.zeros(3, 24, 8))]}", "SETS")
    assert picture_sizes(spec_of(reference, "paired", "3,16,16"), 50) == [(24, 8)]


BAD = [
    (f"[{IMAGE}, torch.zeros(3, 8, 8)]", r"item 1: target has another shape: got float32 of 3x8x8; expected float32 of 3x16x16"),
    (f"[{IMAGE}, torch.zeros(3, 0, 16)]", "item 1: target is empty"),
    ("[torch.zeros(16, 16, 3)]", r"Try \.permute\(2, 0, 1\)"),
    ("[torch.zeros(1, 16, 16)]", "got float32 of 1x16x16"),
    ("[torch.zeros(3, 16, 16, dtype=torch.int64)]", r"another type of values: got int64 of 3x16x16"),
    ("[torch.full((3, 16, 16), 200.)]", r"out of range: got 200 to 200; .* Try --value-range 0,255"),
    ("[torch.full((3, 16, 16), torch.nan)]", "values that are not finite"),
    ("['a.png']", "item 0: target is not a tensor: got str"),
    ("[{'picture': 1}]", r"item 0 has no target: got a dictionary of picture; expected a tuple \(target\)"),
    ("[]", "train is empty: got 0 items"),
    ("iter([])", "cannot be read by index"),
    ("None", "has no train split: got test; expected"),
]  # fmt: skip


@pytest.mark.parametrize(("items", "message"), BAD)
def test_items_that_do_not_fit_are_refused_in_one_line(tmp_path, items, message):
    """Data, split and item are named."""
    spec = of_items(tmp_path, items)
    with pytest.raises(UserError, match=message) as raised:
        Splits(spec).examined()
    assert "my_data.py:make" in str(raised.value)
    assert "\n" not in str(raised.value)


CODE = [
    ("def make():\n    raise KeyError('there')", r"raised KeyError: 'there' \(my_data.py, line 6\)"),
    ("def make(split):\n    return 1 / 0", r"train raised ZeroDivisionError: .* \(my_data.py, line 6\)"),
    ("def make(root):\n    return {}", "takes other arguments: got root"),
    ("def make():\n    return 3", "returns no splits: got int"),
    (f"def make():\n    return [{IMAGE}]", "returns no splits: got list of 1; expected"),
    ("def make():\n    return {'train': [], 'tst': []}", "splits of other names: got tst"),
    ("class make(Dataset):\n    def __init__(self, split):\n        pass\n    def __len__(self):\n        return 2\n"
     "    def __getitem__(self, index):\n        return {}['x']", r"train, item 0 raised KeyError: 'x' \(my_data.py, line 11\)"),
    ("class make(Dataset):\n    n = 5\n    def __init__(self, split):\n        pass\n    def __len__(self):\n"
     "        self.n += 1\n        return self.n\n    def __getitem__(self, index):\n        return 1", "changes its length: got 6, then 7"),
    ("def make():\n    n = np.random.default_rng().integers(5, 10**6)\n    return {'train': range(n), 'test': [1, 2]}",
     "is not repeatable: got train of"),
    ("def make():\n    value = float(np.random.default_rng().random())\n"
     "    return {'train': [torch.full((3, 16, 16), value)] * 2, 'test': [torch.zeros(3, 16, 16)] * 2}",
     "item 0 of train in two versions"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message"), CODE)
def test_code_that_raises_or_gives_another_thing_is_refused_in_one_line(tmp_path, body, message):
    """With file and line of the user's code if it raised, whose traceback is kept."""
    with pytest.raises(UserError, match=message) as raised:
        Splits(spec_of(written(tmp_path, body))).examined()
    assert "\n" not in str(raised.value)
    assert ("Traceback" in raised.value.traceback) == ("raised" in message)


def test_an_error_of_a_process_that_reads_ahead_is_the_same_line(tmp_path):
    """Torch sends the traceback as the error's text; it is kept apart from the line."""
    body = "class make(Dataset):\n    def __init__(self, split):\n        pass\n    def __len__(self):\n        return 2\n    def __getitem__(self, index):\n        raise OSError('gone')"
    images = Splits(spec_of(written(tmp_path, body))).open("train")
    with pytest.raises(
        UserError, match=r"^data .*my_data.py:make, train, item \d raised OSError: gone \(my_data.py, line 11\)$"
    ) as raised:
        next(batches(images, 2, seed=0, workers=1))
    assert "Traceback" in raised.value.traceback


def test_a_split_that_is_trained_on_is_told(tmp_path):
    """Copies of training items in the test are worth a note, and so is a range that looks like another one."""
    spec = of_items(tmp_path, f"[{IMAGE}] * 4")
    notes = Splits(spec).examined()
    assert notes[0].startswith("3 items of test are also trained on")
    assert any("give --value-range 0,1" in note for note in notes)
