"""Rows of a benchmark as CSV: those of this version, and those that `make compare` wrote before."""

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.studies.bench.results.rows import read_rows, rows_to_json, write_rows

from .bench_rows import row

BEFORE = """\
task,variant,target,seed,macs,cost_over_target,own_cost_over_target,quality,metric,teacher,prune_steps,finetune_steps,prune_seconds,finetune_seconds,widths,failed
demo,coronet,0.125,1,47309600.0,0.99846,0.994133,2.28877,"fd[shapes,n=300]",2.27842,120.0,280.0,7.1,21.5,12 24 41,
demo,mggc,0.5,1,,,,,,,,,,,,a loss is not finite
"""


def test_rows_survive_a_file(tmp_path):
    """Rows are read back as they were written, unknown values included."""
    rows = [
        row("a", 2.5, 3, widths="4 8", settings='{"a": [1, "b"]}', params=7.0),
        row("b/8 bits", None, state="FAIL", failed="no"),
    ]
    write_rows(rows, tmp_path / "rows.csv")
    assert read_rows(tmp_path / "rows.csv") == rows


def test_a_table_of_an_earlier_version_is_read(tmp_path):
    """Its targets become budgets, and its failed trial stays one."""
    (tmp_path / "old.csv").write_text(BEFORE)
    first, second = read_rows(tmp_path / "old.csv")
    assert (first.budget, first.pair, first.quality, first.steps) == ("12.5%", (0, 1), 2.28877, 400)
    assert (second.state, second.failed, second.quality) == ("FAIL", "a loss is not finite", None)


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "cannot be read"), ("a,b\n1,2\n", "no column task"), (None, "cannot be read"), (b"\xff\xfe\x00", "cannot")],
)
def test_another_file_is_refused_in_one_line(tmp_path, content, said):
    """A file that is empty, of other columns, not there or not text."""
    path = tmp_path / "other.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=said) as refused:
        read_rows(path)
    assert "\n" not in str(refused.value)


def test_json_has_every_column():
    """A value that is not known is null."""
    (found,) = rows_to_json([row("a", None)])
    assert found["quality"] is None
    assert found["budget"] == "25%"
