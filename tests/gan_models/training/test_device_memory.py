"""Free memory of devices."""

from pathlib import Path

import torch
from ganprune.gan_models.training.device_memory import free_bytes


def test_memory_of_the_machine_is_what_the_kernel_could_give(monkeypatch):
    """`MemAvailable` counts, in kilobytes of 1024 bytes, and not `MemFree`."""
    text = "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:  2000 kB\n"
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: text)
    assert free_bytes(torch.device("cpu")) == 2_048_000


def test_without_that_file_it_is_the_whole_memory(monkeypatch):
    """A system without /proc answers with what is built in; a device that cannot be asked with nothing."""

    def missing(self, encoding):
        raise FileNotFoundError

    there = free_bytes(torch.device("cpu"))
    monkeypatch.setattr(Path, "read_text", missing)
    whole = free_bytes(torch.device("cpu"))
    assert there is not None
    assert whole is not None
    assert whole >= there > 0
    assert free_bytes(torch.device("meta")) is None
