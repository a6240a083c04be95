"""The order of batches."""

import pytest
import torch
from ganprune.gan_models.data.dataset import batches, in_order
from ganprune.gan_models.tasks.task_data import open_split

from ...data_specs import square


class TestBatches:
    spec = square("builtin:shapes", "paired", 16, n_train=7, n_test=5, load_size=18)

    def test_a_batch_is_a_function_of_seed_and_step(self):
        """Starting at step 4 gives what an uninterrupted run sees from step 4 on, augmentation included."""
        data = open_split(self.spec, "train")
        whole, rest = batches(data, 3, 5), batches(data, 3, 5, start_step=4)
        first = [next(whole) for _ in range(8)][4:]
        for a in first:
            b = next(rest)
            assert a.keys() == b.keys() == {"input", "target", "step"}
            assert all(torch.equal(a[key], b[key]) for key in a)

    def test_every_entry_once_an_epoch(self):
        """Any 7 entries from a multiple of 7 on are all entries, in an order that changes."""
        data = [{"i": torch.tensor(i)} for i in range(7)]
        source = batches(data, 3, 0)
        order = torch.cat([next(source)["i"] for _ in range(7)]).view(3, 7)
        assert torch.equal(order.sort(1).values, torch.arange(7).expand(3, 7))
        assert len({tuple(row.tolist()) for row in order}) == 3

    def test_the_order_follows_the_seed(self):
        """Two seeds give two orders."""
        data = [{"i": torch.tensor(i)} for i in range(20)]
        assert not torch.equal(next(batches(data, 20, 0))["i"], next(batches(data, 20, 1))["i"])

    def test_workers_change_nothing(self):
        """Two worker processes deliver the batches that one process makes."""
        data = open_split(self.spec, "train")
        alone, helped = batches(data, 3, 5, start_step=2), batches(data, 3, 5, start_step=2, workers=2)
        for _ in range(5):
            a, b = next(alone), next(helped)
            assert all(torch.equal(a[key], b[key]) for key in a)
        helped.close()

    def test_reading_draws_no_global_random_numbers(self):
        """torch's own random state is untouched by batches."""
        before = torch.get_rng_state()
        next(batches(open_split(self.spec, "train"), 3, 5))
        assert torch.equal(before, torch.get_rng_state())

    def test_in_order_is_each_entry_once(self):
        """Measuring sees every test entry once, in order, not augmented; a limit cuts it short."""
        data = open_split(self.spec, "test")
        seen = torch.cat([batch["input"] for batch in in_order(data, 2)])
        assert torch.equal(seen, torch.stack([data[i]["input"] for i in range(5)]))
        assert sum(len(batch["input"]) for batch in in_order(data, 2, limit=3)) == 3

    def test_an_empty_set_is_an_error(self):
        """No entries, no batches."""
        with pytest.raises(ValueError, match="0 images"):
            next(batches([], 2, 0))
