"""Names to networks: ours, and anybody's from a package or a file."""

import sys
from dataclasses import FrozenInstanceError
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from ganprune.gan_models.files import open_table
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.catalog import (
    DISCRIMINATORS,
    NETWORKS,
    Network,
    build,
    find_builder,
)
from ganprune.gan_models.networks.user_builders import named_arguments
from torch import nn

SMALL = {"ngf": 4, "ndf": 4, "num_feat": 4, "num_grow_ch": 4, "num_block": 2}
HERE = Path(__file__).parents[1]
ROW = None

GENERATOR = """
from dataclasses import dataclass
from torch import nn

@dataclass(frozen=True)
class Sizes:
    width: int

def small(width: int = 8, *, blocks=1):
    return nn.Sequential(nn.Conv2d(3, Sizes(width).width, 3, padding=1), nn.Conv2d(width, 3, 3, padding=1))

def needs(width):
    return small(width)

def anything(**settings):
    return small(**settings)

def number():
    return 3

def breaks():
    raise RuntimeError("first line\\nsecond line")

built = small()
constant = 5
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_gan.py"
    path.write_text(GENERATOR)
    return path


def refused(model, arguments=None) -> str:
    with pytest.raises(ValueError) as caught:
        build(model, arguments or {})
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", [*NETWORKS, *DISCRIMINATORS])
def test_every_entry_builds_runs_and_traces(name):
    """Every entry is an nn.Module that torch.export traces on the meta device at the entry's input shape."""
    entry = NETWORKS.get(name) or DISCRIMINATORS[name]
    width = {key: value for key, value in SMALL.items() if key in named_arguments(find_builder(name))}
    network = build(name, width)
    assert isinstance(network, nn.Module)
    program = torch.export.export(network.eval().to("meta"), entry.spec.examples(2, "meta"))
    output = program.graph.output_node().args[0][0].meta["val"]
    assert output.shape[0] == 2
    if name in NETWORKS:
        assert output.shape[1] == (1 if "mel" in entry.spec.names else 3)


def test_arguments_reach_the_builder():
    """Arguments change the network; names and defaults are the builder's."""
    narrow = build("resnet_9blocks", {"ngf": 16, "n_blocks": 3})
    assert narrow.get_parameter("model.1.weight").shape == (16, 3, 7, 7)
    assert sum("conv_block.1.weight" in name for name, _ in narrow.named_parameters()) == 3
    assert named_arguments(find_builder("unet_256")) == ("ngf", "norm", "dropout", "input_channels", "output_channels")


def test_unknown_names_and_arguments_say_what_is_allowed():
    """An unknown network lists the known ones, an unknown argument the allowed ones."""
    message = refused("resnet9")
    assert all(name in message for name in [*NETWORKS, *DISCRIMINATORS])
    assert "path/to/file.py:function" in message
    assert refused("unet_256", {"blocks": 3}) == (
        "unet_256 has no argument 'blocks'; allowed arguments: ngf, norm, dropout, input_channels, output_channels"
    )
    assert "is not a Python name" in refused("unet_256", {"n-g-f": 3})
    assert refused("resnet", {"ngf": -1}) == (
        "resnet cannot be built with ngf=-1: ngf=-1 must be a whole number of at least 1"
    )


def test_a_generator_from_a_file(file):
    """A function in a file builds the generator, with its arguments; two loads share the classes."""
    network = build(f"{file}:small", {"width": 5})
    assert network[0].weight.shape == (5, 3, 3, 3)
    assert named_arguments(find_builder(f"{file}:small")) == ("width", "blocks")
    assert build(f"{file}:anything", {"width": 6})[0].out_channels == 6
    assert build(f"{file}:needs", {"width": 7})[0].out_channels == 7
    assert "my_gan" not in sys.modules


def test_files_of_one_name_do_not_mix(file, tmp_path):
    """Two files of the same name, and an edited file, each give their own generator."""
    other = tmp_path / "other" / "my_gan.py"
    other.parent.mkdir()
    other.write_text(GENERATOR.replace("width: int = 8", "width: int = 9"))
    assert build(f"{file}:small")[0].out_channels == 8
    assert build(f"{other}:small")[0].out_channels == 9
    file.write_text(GENERATOR.replace("width: int = 8", "width: int = 10"))
    assert build(f"{file}:small")[0].out_channels == 10


def test_a_generator_from_a_package():
    """A dotted module with a function builds the generator; so do classes and files of real networks."""
    assert isinstance(build("torch.nn:Conv2d", {"in_channels": 3, "out_channels": 4, "kernel_size": 1}), nn.Conv2d)
    assert isinstance(build("ganprune.gan_models.networks.unet:unet", {"num_downs": 5, "ngf": 2}), nn.Module)
    johnson = build(f"{HERE / 'foreign_images.py'}:johnson", {"width": 4, "blocks": 1})
    assert johnson(torch.zeros(1, 3, 16, 16)).shape == (1, 3, 16, 16)


def test_bad_files_and_modules(file, tmp_path):
    """Each way that somebody's generator can be missing or broken is told in one line with its cure."""
    assert "cannot be read: No such file" in refused(f"{tmp_path / 'none.py'}:small")
    (tmp_path / "folder.py").mkdir()
    assert "cannot be read: Is a directory" in refused(f"{tmp_path}/folder.py:small")
    assert refused(f"{file}:smal").endswith("has no 'smal'; it defines Sizes, small, needs, anything, number, breaks")
    assert "is int, not a function" in refused(f"{file}:constant")
    assert "is Sequential, not a function: name one that returns a new" in refused(f"{file}:built")
    assert "returned int: it must return a torch.nn.Module" in refused(f"{file}:number")
    assert refused(f"{file}:small", {"widht": 3}).endswith("has no argument 'widht'; allowed arguments: width, blocks")
    assert refused(f"{file}:needs").endswith("needs a value for 'width'; allowed arguments: width")
    message = refused(f"{file}:anything", {"depth": 3})
    assert "depth=3" in message
    assert "TypeError" in message
    assert refused(f"{file}:breaks").endswith("cannot be built with no arguments: RuntimeError: first line second line")
    assert "expected package.module:function" in refused(f"{file}:")
    assert "expected package.module:function" in refused(f"{file}:os.system('x')")
    assert "expected package.module or a file ending in .py" in refused("my gan/model.txt:small")
    assert "there is no module 'no_such_package'. Try to install it" in refused("no_such_package.module:function")
    assert "ganprune.gan_models.networks.unet has no 'unet_512'; it defines" in refused(
        "ganprune.gan_models.networks.unet:unet_512"
    )
    loaded = set(sys.modules)
    file.write_text("import no_such_package\n")
    assert "imports 'no_such_package', which is neither installed" in refused(f"{file}:small")
    file.write_text("def small(:\n")
    assert "cannot be loaded: SyntaxError" in refused(f"{file}:small")
    file.write_text("1 / 0\n")
    assert "cannot be loaded: ZeroDivisionError" in refused(f"{file}:small")
    assert set(sys.modules) == loaded  # nothing half loaded stays behind


def test_entries_are_checked_and_frozen():
    """A row cannot hold inputs or a builder that nothing could use, and cannot be changed."""
    good = Network(".unet:unet", "3,8,8")
    with pytest.raises(FrozenInstanceError):
        good.inputs = "latent:4"
    for bad in ((".unet", "3,8,8"), (".unet:unet", "3,8")):
        with pytest.raises(UserError):
            Network(*bad)
    with pytest.raises(TypeError):
        NETWORKS["mine"] = good


def test_a_row_may_change_defaults_and_fix_arguments():
    """`resnet_6blocks` is `resnet` with another default; a fixed argument is not a user's to give."""
    six = build("resnet_6blocks", {"ngf": 2})
    assert sum("conv_block.1.weight" in name for name, _ in six.named_parameters()) == 6
    assert (
        named_arguments(find_builder("resnet_6blocks"))
        == named_arguments(find_builder("resnet_9blocks"))
        == named_arguments(find_builder("resnet"))
    )
    assert "num_downs" in named_arguments(find_builder("unet"))
    assert "no argument 'num_downs'" in refused("unet_128", {"num_downs": 5})


def test_another_packages_row_builds_by_name(monkeypatch):
    """An entry point of the group `ganprune.networks` is a row like ours; its builder is loaded when it is asked for."""
    row = Network("ganprune.gan_models.networks.unet:unet", "3,32,32", {"num_downs": 5}, {"ngf": 2})
    point = EntryPoint("tiny_unet", f"{__name__}:ROW", "ganprune.networks")
    monkeypatch.setattr(f"{__name__}.ROW", row)
    monkeypatch.setattr(
        open_table, "_entry_points", lambda group: {"tiny_unet": (point,)} if "networks" in group else {}
    )
    assert "tiny_unet" in NETWORKS
    assert "tiny_unet" not in NETWORKS.own
    assert build("tiny_unet")(*NETWORKS["tiny_unet"].spec.examples(2)).shape == (2, 3, 32, 32)
