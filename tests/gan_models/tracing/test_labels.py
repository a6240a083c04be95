"""Channel labels: what lives and dies together."""

import numpy as np
import torch
from ganprune.gan_models.tracing.labels import LabelBook, Traced, align, combine, compress, move, varying


def channels(book: LabelBook, shape, axis=1) -> Traced:
    """A tensor whose channels have labels of their own."""
    return Traced(shape, [book.fresh_on(shape, axis)])


def test_a_sum_ties_channel_to_channel():
    """Two maps that are added: channel i of one and of the other are one atom, and no other."""
    book, shape = LabelBook(), (1, 4, 2, 2)
    a, b = channels(book, shape), channels(book, shape)
    (label,) = combine(book, [a, b], shape, "add")
    atoms = book.atoms()
    assert len(set(atoms)) == 4
    assert np.array_equal(atoms[a.labels[0]], atoms[b.labels[0]])
    assert varying(label) == {1}
    assert book.pins == []


def test_a_bare_tensor_on_the_channel_axis_pins_the_channels():
    """A constant with an entry for each channel could not be cut with them; one that is broadcast does no harm."""
    book, shape = LabelBook(), (1, 4, 2, 2)
    a = channels(book, shape)
    combine(book, [a, Traced((1, 1, 2, 2))], shape, "mul")
    assert book.pins == []
    combine(book, [a, Traced((1, 4, 1, 1))], shape, "mul")
    ((pinned, reason),) = book.pins
    assert pinned.tolist() == [0, 1, 2, 3]
    assert "mul" in reason.text


def test_layout_calls_carry_labels_with_the_elements():
    """Each half of a split has the labels of its own channels; a flattened map repeats them for every pixel."""
    book = LabelBook()
    label = book.fresh_on((1, 4, 2, 2), 1)
    first, second = move(label, (1, 4, 2, 2), torch.chunk, (2, 1))
    assert (first.ravel().tolist(), second.ravel().tolist()) == ([0, 1], [2, 3])
    (flat,) = move(label, (1, 4, 2, 2), torch.flatten, (1,))
    assert flat.ravel().tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4


def test_a_label_is_stored_without_the_axes_on_which_it_is_constant():
    """Compressed and aligned again it broadcasts to what it was."""
    whole = torch.arange(3).reshape(1, 3, 1).expand(2, 3, 5).contiguous()
    small = compress(whole)
    assert small.shape == (1, 3, 1)
    assert np.array_equal(np.broadcast_to(small, (2, 3, 5)), whole.numpy())
    assert align(np.arange(3), 3).shape == (1, 1, 3)


def test_labels_that_nothing_ties_are_atoms_of_their_own():
    """As many atoms as channels, until two of them are tied by way of a third."""
    book = LabelBook()
    ids = book.fresh(5)
    assert len(set(book.atoms())) == 5
    book.tie(ids[:1], ids[2:3])
    book.tie(ids[2:3], ids[4:])
    atoms = book.atoms()
    assert atoms[0] == atoms[2] == atoms[4]
    assert len(set(atoms)) == 3
