"""Options of exported files that the person who exports chooses. Imports no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf

from ..files.errors import UserError

OPSETS = (13, 23)  # of ONNX, the least and the largest
DEFAULT_OPSET = 17
DEFAULT_DROP = 0.1  # of quality, by files that are not in float32


@dataclass(frozen=True)
class FileOptions:
    """Options of exported files.

    Attributes:
        input_size: Height and width of pictures in files of one size; None: the trained ones.
        opset: Operator set of ONNX files; 0: `DEFAULT_OPSET` if the network has a form in it, else a later one.
        largest_drop: How much worse the quality of a file that is not in float32 may be than the network's, relative
            to the network's; infinite: any. None: `DEFAULT_DROP`, if the quality can be measured.
        license: Name of the generator's license, for the files' metadata; empty: it is not stated.
        benchmark: True to measure latencies for the card, dense against pruned.
        uint8: True if files take and give pictures as bytes (N, H, W, C).

    Raises:
        UserError: A size, an operator set or a drop that is none.
    """

    input_size: tuple[int, int] | None = None
    opset: int = 0
    largest_drop: float | None = None
    license: str = ""
    benchmark: bool = False
    uint8: bool = False

    def __post_init__(self) -> None:
        if self.opset and not OPSETS[0] <= self.opset <= OPSETS[1]:
            raise UserError(
                f"opset is not possible: got {self.opset}; expected {OPSETS[0]} to {OPSETS[1]}. Try --opset "
                f"{DEFAULT_OPSET}"
            )
        if self.input_size is not None and min(self.input_size) < 1:
            raise UserError(f"input size is not possible: got {self.input_size}; expected positive pixels")
        if self.largest_drop is not None and not self.largest_drop >= 0:
            raise UserError(f"largest drop is not possible: got {self.largest_drop:g}; expected 0 or more")

    @classmethod
    def read(
        cls, input_size: str = "", opset: int = 0, largest_drop: str = "", license: str = "", uint8: bool = False
    ) -> FileOptions:
        """Return the options of texts of the command line.

        Args:
            input_size: `256`, or `HEIGHTxWIDTH`; empty for the trained size.
            opset: As the attribute.
            largest_drop: `5%` or `0.05`; `none` for any; empty for the default.
            license: As the attribute.
            uint8: As the attribute.

        Raises:
            UserError: Another form.
        """
        size = None
        if input_size:
            match = re.fullmatch(r"(\d+)(?:x(\d+))?", input_size.strip())
            if match is None:
                raise UserError(f"--input-size is not a size: got {input_size}; expected pixels. Try 256 or 256x512")
            size = (int(match[1]), int(match[2] or match[1]))
        drop = None
        if largest_drop:
            text = largest_drop.strip()
            try:
                drop = inf if text == "none" else float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
            except ValueError:
                raise UserError(
                    f"--largest-drop is not a share: got {largest_drop}; expected a share, or none. Try 5%"
                ) from None
        return cls(size, opset, drop, license, uint8=uint8)
