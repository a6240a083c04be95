"""Every row of the table of encoders keeps its protocol; rows of other packages and own encoders are used too."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from ganprune.evaluators.features.catalog import ENCODERS, EncoderSpec, choose_encoder, load_encoder
from ganprune.evaluators.features.encoders import as_eight_bit
from ganprune.evaluators.quality.suite import measure_quality
from ganprune.gan_models.files import open_table
from ganprune.gan_models.files.errors import UserError

from ...fakes.features import features_of

OWN = '''
class Means:
    """Channel means and deviations."""

    name, sha256, dimension, preprocessing = "NAME", "0" * 64, 6, "8 bits"

    def __init__(self, weights):
        self.weights = weights

    def __call__(self, images):
        flat = images.flatten(2)
        import torch
        return torch.cat((flat.mean(2), flat.std(2)), 1)

    def to(self, device):
        return self
'''


@pytest.fixture(params=list(ENCODERS))
def encoder(request):
    """Each row whose weights are on this machine."""
    if not ENCODERS[request.param].at_hand(None):
        pytest.skip(f"no weights of {request.param} here; its own tests build them")
    return load_encoder(request.param)


def test_a_row_gives_features(encoder):
    """Images in [-1, 1] give (N, d) float32 features that depend on each image alone, without gradients of its own."""
    images = torch.rand(3, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = features_of([images], encoder)
    assert features.shape == (3, encoder.dimension)
    assert features.dtype == torch.float32
    alone = torch.cat([features_of([image[None]], encoder) for image in images])
    assert torch.allclose(alone, features, rtol=1e-3, atol=1e-4)
    assert not encoder(as_eight_bit(images)).requires_grad
    assert len(encoder.sha256) == 64
    assert "8 bits" in encoder.preprocessing
    assert encoder.to("cpu") is encoder


@pytest.mark.parametrize("name", ENCODERS)
def test_a_row_says_what_it_is(name):
    """A row has a note, and says without loading it if its weights are there."""
    assert ENCODERS[name].note
    assert ENCODERS[name].at_hand(None) in (True, False)


def test_own_encoder_by_path(tmp_path):
    """Distances in a user's own encoder carry its name, and never the name FID."""
    (tmp_path / "mine.py").write_text(OWN.replace("NAME", "means"))
    name, weights = choose_encoder(f"{tmp_path / 'mine.py'}:Means", {"Means": tmp_path / "w"})
    encoder = load_encoder(name, weights)
    assert encoder.weights == tmp_path / "w"
    images = torch.rand(10, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = measure_quality(lambda x: x, [((images,), None)], encoder, features_of([-images], encoder))
    assert found[0].name == "fd[means,n=10]"


def test_nothing_else_is_called_inception(tmp_path):
    """An encoder that calls itself `inception`, or by a name with a comma, is refused."""
    for i, name in enumerate(("inception", "a,b")):
        (tmp_path / f"mine{i}.py").write_text(OWN.replace("NAME", name))
        with pytest.raises(UserError, match=f"got '{name}'"):
            load_encoder(f"{tmp_path / f'mine{i}.py'}:Means")


def test_what_is_no_encoder_is_refused(tmp_path):
    """A loader that returns something else is named with what it lacks."""
    (tmp_path / "mine.py").write_text("def load(weights):\n    return len\n")
    with pytest.raises(UserError, match="without name, sha256, dimension, preprocessing, to"):
        load_encoder(f"{tmp_path / 'mine.py'}:load")


def test_row_of_another_package(monkeypatch):
    """A row by an entry point of `ganprune.encoders` is loaded by its name."""
    point = SimpleNamespace(
        name="other",
        module="other",
        dist=SimpleNamespace(name="other"),
        load=lambda: EncoderSpec(lambda weights: load_encoder("shapes")),
    )
    monkeypatch.setattr(
        open_table, "_entry_points", lambda group: {"other": (point,)} if group == "ganprune.encoders" else {}
    )
    assert load_encoder("other").name == "shapes"
    assert list(ENCODERS) == ["inception", "lite0", "shapes", "other"]


def test_auto_takes_the_first_at_hand(tmp_path, monkeypatch):
    """`auto` is Inception if its weights are there, else the bundled encoder; a path that is not there is an error."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("GANPRUNE_INCEPTION_WEIGHTS", raising=False)
    assert choose_encoder("auto") == ("shapes", None)
    weights = tmp_path / "i.pth"
    weights.write_bytes(b"")
    assert choose_encoder("auto", {"inception": weights}) == ("inception", weights)
    assert choose_encoder("shapes", {"inception": weights}) == ("shapes", None)
    with pytest.raises(UserError, match="not a file"):
        choose_encoder("auto", {"inception": tmp_path / "gone"})
    with pytest.raises(UserError, match="no Inception weights"):
        choose_encoder("inception")


def test_the_table_needs_no_torch():
    """The names of encoders are known to the command line without torch."""
    code = "import sys; import ganprune.evaluators.features.catalog; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_own_encoder_that_raises_is_the_users_fault(tmp_path):
    """An error of a user's own loader is one line that names it, and no fault of ganprune."""
    (tmp_path / "own.py").write_text("def load(weights): return [][weights]\n")
    with pytest.raises(UserError, match="cannot be opened: got TypeError: list indices"):
        load_encoder(f"{tmp_path}/own.py:load")
