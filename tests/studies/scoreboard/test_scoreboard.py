"""The scoreboard: published results as data, and a study's own only where the protocol is the same."""

import csv
import json
from dataclasses import replace

import pytest
from ganprune.evaluators.cost.counters import count_macs
from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.meta_device import build_for_shapes
from ganprune.gan_models.networks.catalog import NETWORKS, build
from ganprune.studies.api import Study
from ganprune.studies.results.outcome import outcome_of
from ganprune.studies.scoreboard.board import boards, with_study
from ganprune.studies.scoreboard.catalog import PROTOCOLS, RESULT_FILES, SETS, published_results
from ganprune.studies.scoreboard.published_result import COLUMNS, read_results

from ...command_line import call, refused
from ...records_by_hand import record, trial

UNPAIRED = ("horse2zebra", "fid", "gan-compression/unpaired")
SETTINGS = {
    "data": "datasets/horse2zebra",
    "task": "unpaired",
    "image_size": 256,
    "protocol": "test-vs-train+test",
    "prune_network": "AtoB",
}


def fid(value=60.0, n=120, reals=1474, compared="test-vs-train+test"):
    how = f"{compared}; n_real={reals}; images 256x256"
    return Measurement(f"fid[inception,n={n}]", value, "1", value - 2, value + 2, n, how, better="lower")


def outcome(measured, **config):
    """A study of one trial with this quality, as if trained by the preset's settings."""
    one = trial(7, 2.0e9, measured.value, limit=1e10)
    costs = [
        Measurement("macs_published", 2.5e9, "MACs"),
        Measurement("macs", 1.9e9, "MACs"),
        Measurement("params", 4e5, "parameters"),
    ]
    one = replace(one, outcome=replace(one.outcome, measurements=(measured, *costs)))
    study = record(one, name="zebras", **{**SETTINGS, **config})
    teacher = {"measurements": [replace(measured, value=55.0, low=None, high=None).to_json()], "seconds": 1.0}
    dense = {"macs": 49.5515e9, "macs_published": 56.7993e9, "params": 11.378e6}
    return outcome_of(
        replace(study, attributes={**study.attributes, "ganprune.teacher": teacher, "ganprune.dense": dense})
    )


def board_of(made, key=UNPAIRED, stated=""):
    return next(with_study(one, made, stated) for one in boards(published_results()) if one.key == key)


def test_each_published_result_has_a_protocol_and_a_source():
    """Protocols are known and used, values have a plausible unit, and no row is there twice."""
    results = published_results()
    assert len(results) > 100
    assert {result.protocol for result in results} == set(PROTOCOLS)
    assert len({(r.board, r.method, r.network, r.source, r.value) for r in results}) == len(results)
    assert all(result.value is None or 1 < result.value < 300 for result in results)
    assert all(result.note or result.value is not None for result in results)
    assert {row.file.name for row in RESULT_FILES.own.values()} == {"published.csv"}


def test_exact_macs_are_below_published_ones_by_the_transposed_convolutions_alone():
    """Known counts of whole networks: ResNet-9 56.7993 and 49.5515, the mobile one at width 16 1.4077 and 0.9547."""
    found = {(r.network, r.published_gmacs): r.exact_gmacs for r in published_results() if r.exact_gmacs}
    assert found["ResNet-9", 56.7993] == 49.5515
    assert found["Mobile ResNet-9", 1.4077] == 0.9547
    assert all(exact <= published for (_, published), exact in found.items())


@pytest.mark.parametrize(
    ("model", "arguments", "network"),
    [("resnet_9blocks", {}, "ResNet-9"), ("mobile_resnet_9blocks", {"ngf": 16}, "Mobile ResNet-9"), ("unet_256", {"ngf": 16}, "U-Net-256")],
)  # fmt: skip
def test_counts_of_the_data_are_those_of_our_counters(model, arguments, network):
    """MACs in both conventions and parameters of the file equal those of the catalog's network."""
    counted = count_macs(build_for_shapes(lambda: build(model, arguments)), NETWORKS[model].spec.examples())
    near = [
        r
        for r in published_results()
        if r.network == network
        and r.published_gmacs
        and abs(r.published_gmacs - counted["macs_published"] / 1e9) < 1e-3
    ]
    assert near
    assert all(abs(r.exact_gmacs - counted["macs"] / 1e9) < 1e-3 for r in near if r.exact_gmacs)
    assert all(abs(r.mparams - counted["params"] / 1e6) < 0.01 for r in near if r.mparams)


def test_a_study_of_the_same_protocol_stands_among_the_results():
    """Teacher and front are rows by their published MACs, with interval and both counts."""
    board = board_of(outcome(fid()))
    own = [row for row in board.rows if row.own]
    assert [row.method for row in own] == ["zebras:7 uniform", "dense teacher"]
    assert (own[0].published_gmacs, own[0].exact_gmacs, own[0].mparams) == (2.5, 1.9, 0.4)
    assert (own[0].value, own[0].low, own[0].high) == (60.0, 58.0, 62.0)
    costs = [row.published_gmacs for row in board.rows]
    assert costs == sorted(costs)
    assert board.left_out == ()


@pytest.mark.parametrize(
    ("measured", "config", "why"),
    [
        (fid(n=24), {}, "24 outputs are measured, not 120"),
        (fid(reals=1341), {}, "1,341 real images are compared, not 1,474"),
        (fid(compared="test-vs-test"), {"protocol": "test-vs-test"}, "it compares test-vs-test, not test-vs-train+test"),
        (Measurement("fd[shapes,n=120]", 3.0, "1", n=120, protocol="test-vs-train+test"), {}, "but fd[shapes,n=120]"),
        (fid(), {"image_size": 128}, "images are 128x128, not 256x256"),
        (fid(), {"data": "datasets/faces"}, "the study's images are faces, not horse2zebra"),
        (fid(), {"prune_network": "BtoA"}, "the study's images are zebra2horse, not horse2zebra"),
        (fid(), {"prune_network": "both"}, "the study prunes both generators"),
    ],
)  # fmt: skip
def test_a_study_of_another_protocol_is_left_out_with_the_reason(measured, config, why):
    """Other counts, images, metrics, sizes and directions have no row, and a line that says why."""
    board = board_of(outcome(measured, **config))
    assert [row for row in board.rows if row.own] == []
    assert why in " ".join([board.unlike, *board.left_out])


def test_a_trial_without_a_test_measurement_is_left_out():
    """A study that compares trials on the selection images shows only what was measured on the test split."""
    made = outcome(fid(), select_on="selection")
    board = board_of(made)
    assert board.left_out == (
        "dense teacher: it was not measured on the test split",
        "zebras:7 uniform: it was not measured on the test split",
    )


@pytest.mark.parametrize("protocol", [name for name, row in PROTOCOLS.items() if row.unlike])
def test_protocols_that_cannot_be_repeated_never_have_a_study(protocol):
    """CAT's figure, second-hand values and the like stay apart, each with its reason."""
    for board in boards(published_results()):
        if board.protocol == protocol:
            made = with_study(board, outcome(fid()), board.data)
            assert made.rows == board.rows
            assert made.unlike


def test_the_users_word_names_the_images(capsys):
    """A folder of another name is compared if `--data` names the set; the direction remains the study's."""
    made = outcome(fid(), data="pictures")
    assert board_of(made).unlike
    assert any(row.own for row in board_of(made, stated="horse2zebra").rows)
    assert board_of(outcome(fid(), data="x", prune_network="BtoA"), stated="horse2zebra").unlike


def test_a_preset_names_the_images():
    """A study of `--preset horse2zebra` is known by it, whatever its folder is called."""
    assert any(row.own for row in board_of(outcome(fid(), data="pictures", preset="horse2zebra")).rows)


def test_sets_of_images_have_results_and_every_comparable_board_has_a_set():
    """A board that a study may join is of a set whose counts are known, but for maps, of which a line says so."""
    keys = {board.key for board in boards(published_results())}
    assert set(SETS) <= {data for data, _, _ in keys}
    joined = {data for data, _, name in keys if PROTOCOLS[name].measured}
    assert joined - set(SETS) == {"maps"}


def test_the_command_prints_tables_json_and_csv(tmp_path, monkeypatch, capsys):
    """All three have the same rows; an unknown set is refused with a near one."""
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "scoreboard", "--data", "horse2zebra", "--csv", "b.csv") == 0
    assert "GAN Compression (paper)" in capsys.readouterr().out
    assert call(monkeypatch, "scoreboard", "--data", "horse2zebra", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["study"] is None
    assert [board["better"] for board in told["boards"]] == ["lower"] * len(told["boards"])
    rows = [row for board in told["boards"] for row in board["rows"]]
    with (tmp_path / "b.csv").open() as file:
        assert [(r["method"], r["protocol"]) for r in csv.DictReader(file)] == [
            (r["method"], r["protocol"]) for r in rows
        ]
    assert "Did you mean horse2zebra?" in refused(monkeypatch, capsys, "scoreboard", "--data", "horse2zebras")


def test_the_command_shows_a_study(tmp_path, monkeypatch, capsys):
    """Its rows have a star; tables of other images are counted; on other images one line says that none is comparable."""
    made = outcome(fid())
    monkeypatch.setattr(Study, "open", classmethod(lambda cls, *place: type("S", (), {"record": made.study})()))
    monkeypatch.setenv("COLUMNS", "200")
    assert call(monkeypatch, "scoreboard", "zebras") == 0
    shown = capsys.readouterr().out
    assert "zebras:7 uniform *" in shown
    assert "not comparable with cat/figure" in shown
    assert "other tables of other images" in shown
    made = outcome(fid(), data="builtin:stripes")
    assert call(monkeypatch, "scoreboard", "zebras") == 0
    assert "no published result is on the images of study zebras, builtin:stripes" in capsys.readouterr().out


def test_own_rows_are_added_and_a_protocol_of_ones_own_stays_apart(tmp_path, monkeypatch, capsys):
    """`--rows` adds a file's rows to a table; a protocol that ganprune does not know is a table of its own."""
    head = "data,network,method,published_gmacs,metric,value,protocol,evidence,source\n"
    (tmp_path / "r.csv").write_text(
        f"{head}horse2zebra,R,mine,1.0,fid,50,gan-compression/unpaired,table,p\nhorse2zebra,R,x,,fid,5,lab,table,p\n"
    )
    assert call(monkeypatch, "scoreboard", "--data", "horse2zebra", "--rows", tmp_path / "r.csv", "--json") == 0
    found = {board["protocol"]: board for board in json.loads(capsys.readouterr().out)["boards"]}
    assert "mine" in [row["method"] for row in found["gan-compression/unpaired"]["rows"]]
    assert [row["method"] for row in found["lab"]["rows"]] == ["x"]
    board = next(one for one in boards(read_results(tmp_path / "r.csv")) if one.protocol == "lab")
    assert "the protocol 'lab' is not known" in with_study(board, outcome(fid())).unlike


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no column data"),
        ("data,network\n", "no column method"),
        (",".join([*COLUMNS, "size"]) + "\n", "got the column 'size'"),
        (",".join(COLUMNS) + "\na,b,c,x,,,fid,1,,p,,table,s,\n", "line 2: published_gmacs is not a number: got 'x'"),
        (",".join(COLUMNS) + "\na,b,c,-1,,,fid,1,,p,,table,s,\n", "published_gmacs of a published result is not possible"),
        (",".join(COLUMNS) + "\na,b,c,nan,,,fid,1,,p,,table,s,\n", "published_gmacs of a published result is not possible"),
        (",".join(COLUMNS) + "\na,b,c,1,,,fid,1,,p,,rumor,s,\n", "evidence is unknown: got 'rumor'"),
        (",".join(COLUMNS) + "\na,b,,1,,,fid,1,,p,,table,s,\n", "has no method"),
        (",".join(COLUMNS) + "\na,b\n", "another number of cells"),
        (",".join(COLUMNS) + "\na,b,c,1,,,fid,1,,p,,table,s,,x\n", "another number of cells"),
        ("\x00", "table"),
    ],
)  # fmt: skip
def test_wrong_rows_are_refused_in_one_line(text, why, tmp_path, monkeypatch, capsys):
    """Each mistake is named with file and line, and the exit code is 2."""
    (tmp_path / "r.csv").write_text(text)
    said = refused(monkeypatch, capsys, "scoreboard", "--rows", tmp_path / "r.csv")
    assert "r.csv" in said
    assert why in said


def test_a_published_result_is_checked_without_a_file():
    """A package's row is refused like a line of a file."""
    one = published_results()[0]
    with pytest.raises(UserError, match="has no source"):
        replace(one, source="")
