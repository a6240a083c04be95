"""A runtime: `torch.export` programs on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ganprune.evaluators.cost.runtime import Runtime, RuntimeUnavailable
from ganprune.gan_models.files.packages import Package

if TYPE_CHECKING:
    import numpy as np


class ProgramSession:
    """A program, loaded. Raises RuntimeUnavailable for a file that is none."""

    def __init__(self, path: Path, threads: int) -> None:
        import torch

        self.path, self.threads = path, threads
        try:
            with Path(path).open("rb") as file:
                self.call = torch.export.load(file).module()
        except Exception as error:  # torch raises many kinds
            raise self._unavailable(error) from error

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the program's output."""
        import torch
        from ganprune.evaluators.cost.pytorch import torch_threads

        with torch_threads(self.threads), torch.inference_mode():
            try:
                return (self.call(*map(torch.from_numpy, arrays)).numpy(),)
            except Exception as error:
                raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> RuntimeUnavailable:
        return RuntimeUnavailable(f"torch.export cannot run {self.path}: {' '.join(str(error).split())[:300]}")


def open_program(source: str | Path, dtype: str, threads: int, device: str) -> ProgramSession:
    """Open a file; the device is the CPU."""
    return ProgramSession(Path(source), threads)


TORCH_EXPORT = Runtime(
    open_program,
    "torch.export",
    needs=(Package("torch"),),
    usage=(
        "import torch  # needs PyTorch and not ganprune\n"
        "\n"
        'z = torch.export.load(str(bundle / "{file}")).module()(*inputs).detach().numpy()'
    ),
)
