"""The card for people is Markdown whose tables and lists no value can break."""

import math
from dataclasses import replace

import pytest
from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.bundles.card import Card, FormatReport, Parity, SpeedBeside
from ganprune.studies.bundles.card_text import card_text
from ganprune.studies.bundles.latency.table import LatencyRow, LatencyTable

LINEAGE = {
    "study": "a | b\nc <script>",
    "trial": 3,
    "model": "mine|yours",
    "settings": {"rate": 0.123456789},
    "steps": {},
}
CARD = Card(
    costs={"macs": 1e6, "odd|name": 5.0},
    teacher_costs={"macs": 4e6},
    measurements=(
        Measurement("fd[shapes,n=8]", 12.3456, "1", 11.0, 13.0, 8, "one | two"),
        Measurement.absent("l1", "of [-1, 1]", "no pairs | none"),
        Measurement("macs", 1e6, "MACs"),
    ),
    teacher_measurements=(Measurement("fd[shapes,n=8]", 10.0, "1"),),
    lineage=LINEAGE,
    versions={"python": "3.11", "torch": "2.9"},
    parity=Parity(0.0, 1.5, 5, 1e-4),
    formats={
        "onnx": FormatReport("ONNX", "generator.onnx", "ONNX Runtime", difference=1e-6, allowed=1.5e-4),
        "other": FormatReport("Other", absent="it | cannot\nhold it"),
    },
    notes=("first | note\nsecond line",),
)


def tables(text: str) -> list[list[str]]:
    """The cells of every line of a table; escaped bars do not end a cell."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [line.replace("\\|", "").split("|")[1:-1] for line in lines]


def test_no_value_breaks_a_table():
    """Bars and line breaks in names, protocols and reasons leave every row with its table's columns, and no tag."""
    text = card_text(CARD, InputSpec.of_shape((3, 16, 16)))
    assert [len(row) for row in tables(text)] == [4] * 8
    assert "<script>" not in text
    assert "# mine\\|yours, pruned: trial 3 of study a \\| b c &lt;script>" in text
    assert "* first \\| note second line\n" in text
    assert "* settings: rate=0.123457\n" in text
    assert "* steps: none\n" in text


def test_every_number_stands_on_the_card():
    """Costs with their share, quality with its interval or reason, each format's difference or why it is absent."""
    text = card_text(CARD, InputSpec.of_shape((3, 16, 16)))
    for expected in (
        "| macs | 1 MMACs | 4 MMACs | 25.00 % |",
        "| fd[shapes,n=8] (1) | 12.35 [11, 13] | 10 |",
        "| l1 (of [-1, 1]) | no pairs \\| none |  |",
        "* generator.onnx in ONNX Runtime: largest difference 1e-06, allowed 0.00015",
        "* no Other file: it \\| cannot hold it",
        "Made with python 3.11, torch 2.9.",
        'session = onnxruntime.InferenceSession(str(bundle / "generator.onnx"))',
        "    y = load_bundle(bundle)(*inputs)",
    ):
        assert expected in text


def test_a_generator_of_latents_is_said_to_be_one():
    """The card names what it takes."""
    assert "It takes 128; the batch size is free. Images that it gives are in [-1, 1]." in card_text(
        CARD, InputSpec.of_shape((128,))
    )


def test_a_card_is_json_both_ways():
    """A value that could not be measured stays NaN, everything else is equal."""
    again = from_json(Card, to_json(CARD))
    assert math.isnan(again.measurements[1].value)
    assert to_json(again) == to_json(CARD)


def test_the_worst_difference_of_a_bundle():
    """It is that of reloading or of a file; a format that is absent counts as infinite."""
    assert CARD.worst == math.inf
    whole = from_json(Card, to_json(CARD) | {"formats": {"onnx": to_json(CARD.formats["onnx"])}})
    assert whole.worst == 1e-6


@pytest.mark.parametrize(
    ("ms", "other_ms", "said"),
    [
        (1.19, 1.10, "latency 1.19 ms, onnx 1.1 ms: slower, 1.08 times as long (here)"),
        (0.5, 1.0, "latency 0.5 ms, onnx 1 ms: 2.00 times as fast (here)"),
        (1.0, 1.001, "latency 1 ms, onnx 1 ms: as fast (here)"),
    ],
)
def test_a_slower_file_is_said_to_be_slower(ms, other_ms, said):
    """Faster or slower follows from the two medians that stand beside it, also on a card that has another ratio."""
    assert SpeedBeside("onnx", ms, other_ms, 1.14, 30, "here").line() == said


def test_the_table_stands_on_the_card():
    """Rows, ratios and how it was measured are on the card; a busy machine is named there."""
    rows = (LatencyRow("LiteRT", "int8", 2.0, 1.5), LatencyRow("ncnn", "float16", reason="not | installed"))
    table = LatencyTable("a CPU, 2 CPUs", 1, 15, "image(3,16,16)", 0.25, "others used 0.9 of 2 CPUs", rows)
    text = card_text(replace(CARD, latencies=table), InputSpec.of_shape((3, 16, 16)))
    assert "| LiteRT | int8 | 2 | 1.5 | 0.75 |" in text
    assert "| ncnn | float16 | - | - | not \\| installed |" in text
    assert "MACs pruned / dense: 0.25; the machine was busy (others used 0.9 of 2 CPUs)" in text
    assert table.lines()[1] == "LiteRT   int8       2         1.5        0.75"
