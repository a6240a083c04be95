"""Arrays in files: read as NumPy does, or refused with one kind of exception."""

from struct import pack

import numpy as np
import pytest
from ganprune.gan_models.files.parsers.array_files import load_array, load_arrays


@pytest.mark.parametrize("mapped", [False, True])
def test_an_array_is_read(tmp_path, mapped):
    """Both ways give the array."""
    np.save(tmp_path / "a.npy", np.arange(6.0).reshape(2, 3))
    assert np.array_equal(load_array(tmp_path / "a.npy", mapped), np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    "header",
    [b"(" * 4000, b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"{'descr': '<f4'", b"__import__('this')",
     b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }"],
)  # fmt: skip
@pytest.mark.parametrize("mapped", [False, True])
def test_a_malicious_header_is_one_kind_of_error(tmp_path, header, mapped):
    """NumPy itself raises a TokenError, a SyntaxError, an OverflowError, ..."""
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + pack("<H", len(header)) + header + bytes(40))
    with pytest.raises(ValueError, match="not an array"):
        load_array(tmp_path / "a.npy", mapped)


def test_named_arrays_are_read_and_others_left_out(tmp_path):
    """A name that is not there is left out; several arrays are not one."""
    np.savez(tmp_path / "a.npz", x=np.ones(2), y=np.zeros(3))
    assert list(load_arrays(tmp_path / "a.npz", ("x", "z"))) == ["x"]
    with pytest.raises(ValueError, match="several arrays"):
        load_array(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:-30])
    with pytest.raises(ValueError, match="not an array"):
        load_arrays(tmp_path / "b.npz", ("x",))
