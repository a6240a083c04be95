"""An exported generator is the trial's, runs elsewhere, and a bundle that is not whole is refused."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import load_weights, save_weights
from ganprune.gan_models.export.catalog import EXPORTERS
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.hashes import file_sha256
from ganprune.gan_models.files.pictures.picture_reader import read_picture
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import Input
from ganprune.search.artifacts.study_folder import StudyFolder
from ganprune.search.config import StudyConfig
from ganprune.search.setup.study_parts import StudyParts
from ganprune.spaces.budget import BudgetError
from ganprune.studies.bundles import bundle as bundles
from ganprune.studies.bundles.bundle import BundleError, load_bundle, read_architecture, read_card
from ganprune.studies.bundles.export import NotExportable, best_under, export_front, export_trial
from ganprune.studies.bundles.inference import run_bundle
from ganprune.studies.bundles.trial_weights import ArtifactError, trial_generator
from ganprune.studies.bundles.verify import verify_bundle
from ganprune.studies.inference.output_pictures import to_picture
from ganprune.studies.inference.translation import input_tensor, taken_half
from ganprune.studies.report.image_grid import picture_grid
from PIL import Image

from ...examples import example_input
from ...tiny_study import SMALL, made, make, new_folder

PICTURE = Input("input", "image", (3, 16, 16))
LATENTS = Path(__file__).parents[2] / "gan_models" / "foreign_latents.py"
NAMES = ("files", "reload", "costs", "outputs", "onnx")


@cache
def exported() -> Path:
    """Trial 2 (magnitude) as a bundle; do not change it: copy it."""
    out = new_folder() / "bundle"
    export_trial(made().record, 2, made().root, out)
    return out


@pytest.fixture
def bundle(tmp_path):
    """A copy to damage, far from the study."""
    return Path(shutil.copytree(exported(), tmp_path / "elsewhere"))


def trial_model(study, number):
    config = StudyConfig.from_json(study.record.attributes["ganprune.config"])
    parts = StudyParts(config)
    full, groups = parts.full_network(), parts.groups
    folder = StudyFolder(study.root, config.name)
    return trial_generator(config, folder, study.record.trials[number], full, groups)[0]


def outputs(model, shape=(3, 16, 16)):
    with torch.no_grad():
        return model(example_input(shape, 3))


def reseal(folder):
    """Makes the manifest fit the files, as somebody would who changes a bundle on purpose."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: file_sha256(folder / name) for name in manifest["files"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def failed(folder):
    return {check.name: check.detail for check in verify_bundle(folder) if not check.passed}


def test_loaded_generator_is_the_trials(bundle):
    """A bundle gives the trial's outputs bit for bit, in eval mode, and leaves the random numbers alone."""
    torch.manual_seed(4)
    expected_draw = torch.rand(1)
    torch.manual_seed(4)
    model = load_bundle(bundle)
    assert torch.equal(torch.rand(1), expected_draw)
    assert not model.training
    ours = outputs(model)
    assert torch.equal(ours, outputs(trial_model(made(), 2)))
    assert not torch.equal(ours, outputs(trial_model(made(), 0)))
    assert sum(p.numel() for p in model.parameters()) == read_card(bundle).costs["params"] < 8739


def test_onnx_file_runs_alone(bundle):
    """The ONNX file gives the generator's outputs in ONNX Runtime at a batch it was not exported with."""
    session = onnxruntime.InferenceSession(str(bundle / "generator.onnx"), providers=["CPUExecutionProvider"])
    theirs = session.run(None, {session.get_inputs()[0].name: example_input((3, 16, 16), 3).numpy()})[0]
    np.testing.assert_allclose(theirs, outputs(load_bundle(bundle)).numpy(), atol=1e-5)


def test_the_cards_own_words_run(bundle, monkeypatch):
    """The Python on the card runs in the bundle's folder; both files give the same images."""
    monkeypatch.chdir(bundle)
    code = (bundle / "card.md").read_text().split("```python\n")[1].split("```")[0]
    names: dict = {}
    exec(code, names)
    assert names["y"].shape == (1, 3, 16, 16)
    np.testing.assert_allclose(names["z"], names["y"].numpy(), atol=1e-5)


def test_loading_needs_neither_database_nor_ray(bundle):
    """A process that loads a bundle imports no optuna, ray, sqlalchemy or matplotlib."""
    code = (
        "import sys; from ganprune.studies.bundles.bundle import load_bundle; load_bundle(sys.argv[1]);"
        "print([m for m in ('optuna', 'ray', 'sqlalchemy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, bundle], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_card_says_what_it_is(bundle):
    """The card names costs in all conventions, the teacher's beside them, quality, lineage, versions and differences."""
    card = read_card(bundle)
    trial = made().record.trials[2]
    assert set(card.costs) == {"macs", "macs_published", "params", "bytes", "peak_activation_bytes"}
    assert card.costs["macs"] == trial.cost < card.teacher_costs["macs"] == 448512
    assert card.measurements[0].name == "fd[shapes,n=8]"
    assert card.measurements[0].value == trial.quality
    assert card.teacher_measurements[0].name == "fd[shapes,n=8]"
    assert card.lineage["trial"] == 2
    assert card.lineage["method"] == "magnitude"
    assert card.lineage["data_sha256"] == made().record.attributes["ganprune.teacher"]["data"]
    assert card.versions["torch"] == torch.__version__
    assert card.parity.reload == 0
    assert 0 <= card.formats["onnx"].difference <= card.formats["onnx"].allowed == 1e-4 * card.parity.scale
    assert card.formats["onnx"].sha256 == file_sha256(bundle / "generator.onnx")
    assert card.formats["onnx"].bytes == (bundle / "generator.onnx").stat().st_size
    text = (bundle / "card.md").read_text()
    for expected in (
        "fd[shapes,n=8]",
        "macs_published",
        "magnitude",
        "dense teacher",
        f"{card.formats['onnx'].difference:.3g}",
    ):
        assert expected in text
    assert from_json(type(card), json.loads(json.dumps(to_json(card)))) == card


@pytest.mark.parametrize("name", bundles.REQUIRED)
@pytest.mark.parametrize("how", ["missing", "changed"])
def test_damaged_bundle_is_refused(bundle, name, how):
    """A file that is missing or differs in one byte is named in one line, and nothing is loaded."""
    path = bundle / name
    if how == "missing":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(BundleError, match=name) as caught:
        load_bundle(bundle)
    assert "\n" not in str(caught.value)
    assert set(failed(bundle)) == set(NAMES)


def test_other_bundles_are_refused(bundle, tmp_path):
    """A folder without a manifest, one of another format, and a manifest that reaches outside are refused."""
    with pytest.raises(BundleError, match="not a bundle"):
        load_bundle(tmp_path)
    with pytest.raises(BundleError, match="not a bundle"):
        verify_bundle(tmp_path / "nothing")
    manifest = json.loads((bundle / "manifest.json").read_text())
    (tmp_path / "secret").write_text("x")
    outside = {**manifest["files"], "../secret": file_sha256(tmp_path / "secret")}
    for changed, message in (
        ({"format": 99}, "format is 99"),
        ({"files": outside}, "outside"),
        ({"files": {}}, "lacks"),
    ):
        (bundle / "manifest.json").write_text(json.dumps(manifest | changed))
        with pytest.raises(BundleError, match=message):
            load_bundle(bundle)


def test_verify_passes_and_finds_what_hashes_cannot(bundle):
    """A whole bundle passes every check; with fitting hashes, wrong costs, a foreign ONNX and NaN are still found."""
    assert [check.name for check in verify_bundle(bundle)] == list(NAMES)
    assert failed(bundle) == {}
    onnx = (bundle / "generator.onnx").read_bytes()
    other = new_folder() / "other"
    export_trial(made().record, 0, made().root, other)
    shutil.copy(other / "generator.onnx", bundle / "generator.onnx")
    card = json.loads((bundle / "card.json").read_text())
    card["costs"]["macs"] += 1
    (bundle / "card.json").write_text(json.dumps(card))
    reseal(bundle)
    found = failed(bundle)
    assert set(found) == {"costs", "onnx"}
    assert "macs" in found["costs"]
    (bundle / "generator.onnx").write_bytes(onnx)
    weights = load_weights(bundle / "generator.safetensors")
    save_weights({name: torch.full_like(t, torch.nan) for name, t in weights.items()}, bundle / "generator.safetensors")
    reseal(bundle)
    assert {"outputs", "onnx"} <= set(failed(bundle))


def test_changed_plan_is_refused(bundle):
    """A plan that does not fit its hash is refused even where the manifest was made to fit."""
    data = json.loads((bundle / "architecture.json").read_text())
    kept = data["plan"]["kept"]
    name = next(iter(kept))
    kept[name] = [i for i in range(data["sizes"][name]) if i not in kept[name]][:1] or [0]
    (bundle / "architecture.json").write_text(json.dumps(data))
    reseal(bundle)
    with pytest.raises(BundleError, match="architecture"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (3, "FAIL.*diverged"),
        (4, "PRUNED.*stopped at step 1"),
        (5, "COMPLETE but over the budget"),
        (6, "RUNNING"),
        (66, "no"),
    ],
)
def test_only_complete_trials_inside_the_budget_are_exported(tmp_path, number, said):
    """Others are refused in one line with their state and the trials that can be had; nothing is written."""
    with pytest.raises(NotExportable, match=f"{said}.*these can: 0, 1, 2") as caught:
        export_trial(made().record, number, made().root, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_existing_folder_is_kept(bundle, tmp_path):
    """An existing folder is refused; --overwrite replaces a bundle, and never a folder that is none."""
    study = made()
    before = (bundle / "manifest.json").read_bytes()
    with pytest.raises(ValueError, match="exists"):
        export_trial(study.record, 0, study.root, bundle)
    assert (bundle / "manifest.json").read_bytes() == before
    export_trial(study.record, 0, study.root, bundle, overwrite=True)
    assert read_card(bundle).lineage["trial"] == 0
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="was not written by an export"):
        export_trial(study.record, 0, study.root, mine, overwrite=True)
    assert (mine / "thesis.tex").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "mine"]


def test_files_that_do_not_give_the_outputs_are_not_handed_over(tmp_path, monkeypatch):
    """If the ONNX file's outputs differ by more than 1e-4, the bundle is written without it, and the card says why."""
    exporter = EXPORTERS["onnx"]

    def wrong(job, path):
        return exporter.write(replace(job, model=build("resnet", {"ngf": 4, "n_blocks": 1})), path)

    monkeypatch.setitem(EXPORTERS.own, "onnx", replace(exporter, writer=wrong))
    card = export_trial(made().record, 1, made().root, tmp_path / "out")
    assert card.refused == ("onnx",)
    assert "does not give the generator's outputs" in card.formats["onnx"].absent
    assert not list((tmp_path / "out").rglob("*.onnx"))


@pytest.mark.parametrize("name", ["generator.safetensors", "plan.json"])
def test_files_that_are_not_the_records_are_refused(tmp_path, name):
    """Weights or a plan that were exchanged for another trial's, or are gone, are named."""
    root = tmp_path / "artifacts"
    shutil.copytree(made().root, root)
    shutil.copy(root / "tiny" / "0" / name, root / "tiny" / "2" / name)
    with pytest.raises(ArtifactError, match=f"{name}.*not the"):
        export_trial(made().record, 2, root, tmp_path / "out")
    (root / "tiny" / "2" / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name} is missing"):
        export_trial(made().record, 2, root, tmp_path / "out")


def test_repeated_trial_is_exported_from_the_first(tmp_path):
    """A trial that took over an earlier one's result exports that one's weights, and the card says so."""
    first = made().record.trials[2]
    again = replace(first, number=9, outcome=first.outcome.of_twin(2))
    record = replace(made().record, trials=(*made().record.trials, again))
    card = export_trial(record, 9, made().root, tmp_path / "b")
    assert (card.lineage["trial"], card.lineage["same_as"]) == (9, 2)
    assert card.lineage["trial_seed"] == read_card(exported()).lineage["trial_seed"]
    assert torch.equal(outputs(load_bundle(tmp_path / "b")), outputs(trial_model(made(), 2)))


def test_record_cannot_name_files_outside(tmp_path):
    """A record whose artifact points out of the study's folder is refused."""
    trial = made().record.trials[2]
    artifact = replace(trial.outcome.artifact, path="../../x/generator.safetensors")
    changed = replace(trial, outcome=replace(trial.outcome, artifact=artifact))
    record = replace(made().record, trials=(changed,))
    with pytest.raises(ArtifactError, match="outside"):
        export_trial(record, 2, made().root, tmp_path / "out")


def test_best_under_a_budget():
    """The best quality whose cost is at or under the budget is chosen, in any unit; else the cheapest is named."""
    record = made().record
    scored = [trial for trial in record.trials if trial.scored]
    for text, limit in (("60%", 0.6 * 448512), ("0.0002GMACs", 2e5), ("0.4MFLOPs", 2e5)):
        affordable = [trial for trial in scored if trial.cost <= limit]
        assert best_under(record, text).number == min(affordable, key=lambda t: t.quality).number
    smallest = min(scored, key=lambda t: t.cost)
    assert best_under(record, "0.004Mparams").number == 1
    assert best_under(record, f"{smallest.cost}MACs").number == smallest.number
    with pytest.raises(NotExportable, match=f"cheapest is trial {smallest.number} with 133.9 kMACs"):
        best_under(record, "10%")
    with pytest.raises(BudgetError, match="no unit"):
        best_under(record, "10")
    with pytest.raises(NotExportable, match="latency_ms measured"):
        best_under(record, "10ms")


def test_whole_front(tmp_path):
    """The front is exported as one folder of bundles, each of which verifies; a second export is refused."""
    cards = export_front(made().record, made().root, tmp_path / "front")
    listed = json.loads((tmp_path / "front" / "front.json").read_text())["bundles"]
    assert list(listed) == [f"trial-{number}" for number in cards]
    for name in listed:
        assert failed(tmp_path / "front" / name) == {}
    with pytest.raises(ValueError, match="exists"):
        export_front(made().record, made().root, tmp_path / "front")


def test_groups_left_whole_by_patterns_stay_whole(tmp_path):
    """A study that keeps a group whole exports a bundle that reloads with the same groups."""
    name = next(iter(read_architecture(exported()).sizes))
    study = make(StudyConfig(name="kept", keep=(name,), **SMALL), [("magnitude", 0.6, "tpe", "run")])
    export_trial(study.record, 0, study.root, tmp_path / "b")
    architecture = read_architecture(tmp_path / "b")
    assert set(architecture.whole) == {name}
    assert name not in architecture.plan.kept
    assert torch.equal(outputs(load_bundle(tmp_path / "b")), outputs(trial_model(study, 0)))


@pytest.mark.long
def test_a_bundle_of_a_version_that_found_fewer_groups_loads(tmp_path):
    """Layers that the earlier version could not prune stay whole, though this one could."""
    name = next(iter(read_architecture(exported()).sizes))
    study = make(StudyConfig(name="kept", keep=(name,), **SMALL), [("magnitude", 0.6, "tpe", "run")])
    export_trial(study.record, 0, study.root, tmp_path / "b")
    data = json.loads((tmp_path / "b" / "architecture.json").read_text())
    assert list(data.pop("whole")) == [name]
    (tmp_path / "b" / "architecture.json").write_text(json.dumps(data | {"whole": {}}))
    reseal(tmp_path / "b")
    assert torch.equal(outputs(load_bundle(tmp_path / "b")), outputs(trial_model(study, 0)))


@pytest.mark.long
def test_generator_from_a_file_of_latents(tmp_path):
    """A generator from a file travels with its source: it loads and samples after the file is gone."""
    source = tmp_path / "mine.py"
    shutil.copy(LATENTS, source)
    changes = {
        "model": f"{source}:dcgan",
        "model_args": {"latent": 6, "width": 4},
        "input_shape": (6,),
        "task": "unconditional",
        "image_size": 32,
        "task_settings": {"latent": 6, "discriminator": {"model": "sngan", "ndf": 4}},
    }
    study = make(StudyConfig(name="mine", **SMALL | changes), [("uniform", 0.5, "ladder:0", "run")])
    grid = picture_grid(study.record, study.root, rows=3)
    assert grid.startswith(b"\x89PNG")
    export_trial(study.record, 0, study.root, tmp_path / "b")
    expected = outputs(trial_model(study, 0), (6,))
    source.unlink()
    assert torch.equal(outputs(load_bundle(tmp_path / "b"), (6,)), expected)
    assert failed(tmp_path / "b") == {}
    assert str(tmp_path) not in (tmp_path / "b" / "architecture.json").read_text() + str(read_card(tmp_path / "b"))
    with pytest.raises(BundleError, match="not in the catalog"):
        load_bundle(tmp_path / "b", catalog_only=True)
    with pytest.raises(ValueError, match=r"mine\.py cannot be read"):
        export_trial(study.record, 0, study.root, tmp_path / "again")
    (study.root / "mine" / "source").mkdir()
    shutil.copy(LATENTS, study.root / "mine" / "source" / "mine.py")  # as in a study whose artifacts were moved
    assert export_trial(study.record, 0, study.root, tmp_path / "again").parity == read_card(tmp_path / "b").parity
    done = [run_bundle(tmp_path / "b", None, tmp_path / f"s{i}", batch_size=2, n=3, seed=i) for i in (0, 0, 1)]
    pictures = [[(d.folder / name).read_bytes() for name in d.written] for d in done]
    assert len(pictures[0]) == 3
    assert pictures[0] == pictures[1] != pictures[2]
    with pytest.raises(ValueError, match="latents"):
        run_bundle(tmp_path / "b", tmp_path, tmp_path / "x")


def write_inputs(folder, random):
    folder.mkdir()
    pixels = lambda *shape: Image.fromarray(random.integers(0, 255, (*shape, 3), dtype=np.uint8))  # noqa: E731
    pixels(16, 16).save(folder / "a.png")
    pixels(40, 24).save(folder / "b.jpg")
    pixels(16, 16).save(folder / "b.png")
    pixels(16, 16).convert("L").save(folder / "gray.png")
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "cut.jpg").write_bytes((folder / "b.jpg").read_bytes()[:300])
    (folder / "notes.txt").write_text("no image either")


def test_run_translates_a_folder(bundle, tmp_path):
    """Each readable image becomes the generator's output under its own name; bad ones are named and counted."""
    write_inputs(tmp_path / "in", np.random.default_rng(0))
    done = run_bundle(bundle, tmp_path / "in", tmp_path / "out", batch_size=3, device="cpu")
    assert sorted(done.written) == ["a.png", "b.jpg.png", "b.png.png", "gray.png"]
    assert [line.partition(":")[0] for line in done.skipped] == ["broken.png", "cut.jpg"]
    x = input_tensor(read_picture(tmp_path / "in" / "a.png"), PICTURE)
    assert x.min() >= -1
    assert x.max() <= 1
    pixels = np.asarray(Image.open(tmp_path / "in" / "a.png")).transpose(2, 0, 1)
    np.testing.assert_allclose(x.numpy(), pixels / 127.5 - 1, atol=1e-6)
    with torch.no_grad():
        expected = to_picture(load_bundle(bundle)(x[None])[0])
    np.testing.assert_allclose(
        np.asarray(expected, dtype=int), np.asarray(Image.open(tmp_path / "out" / "a.png"), dtype=int), atol=1
    )


def test_run_keeps_the_size_of_each_picture_in_every_runtime(bundle, tmp_path):
    """Network and ONNX file run at the picture's own size, give the same, and the file says which sizes it takes."""
    random = np.random.default_rng(1)
    (tmp_path / "in").mkdir()
    for name, size in (("a", (16, 16)), ("b", (25, 41)), ("c", (70, 18))):
        Image.fromarray(random.integers(0, 255, (*size, 3), dtype=np.uint8)).save(tmp_path / "in" / f"{name}.png")
    notes = read_card(bundle).formats["onnx"].notes
    assert "takes heights and widths that are multiples of 4" in notes
    found = []
    for format in ("", "onnx"):
        done = run_bundle(bundle, tmp_path / "in", tmp_path / f"out{format}", device="cpu", format=format)
        assert done.notes == ()
        found.append([np.asarray(Image.open(done.folder / name), dtype=int) for name in done.written])
    assert [image.shape[:2] for image in found[0]] == [(16, 16), (25, 41), (70, 18)]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1)


def test_run_takes_half_of_an_aligned_picture(bundle, tmp_path):
    """With half=A or B, the left or right half of an A|B picture is the input."""
    (tmp_path / "in").mkdir()
    both = np.zeros((16, 32, 3), dtype=np.uint8)
    both[:, 16:] = 255
    Image.fromarray(both).save(tmp_path / "in" / "pair.png")
    Image.fromarray(both[:, :16]).save(tmp_path / "in" / "square.png")
    pair = read_picture(tmp_path / "in" / "pair.png")
    assert float(input_tensor(taken_half(pair, "A"), PICTURE).max()) == -1
    assert float(input_tensor(taken_half(pair, "B"), PICTURE).min()) == 1
    done = run_bundle(bundle, tmp_path / "in", tmp_path / "out", half="A")
    assert done.written == ("pair.png",)
    assert "too narrow" in done.skipped[0]


def test_run_says_what_is_wrong(bundle, tmp_path):
    """No folder, no images, no readable image, inputs that would be overwritten, bad numbers: one line each."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_bytes(b"")
    for given, message in (
        ((tmp_path / "none", tmp_path / "o"), "expected an image or a folder of images"),
        ((tmp_path / "empty", tmp_path / "o"), "holds no images"),
        ((tmp_path / "bad", tmp_path / "o"), "none of 1 image in .* can be read"),
        ((tmp_path / "bad", tmp_path / "bad"), "overwritten"),
        ((None, tmp_path / "o"), "--input"),
    ):
        with pytest.raises(ValueError, match=message):
            run_bundle(bundle, *given)
    with pytest.raises(ValueError, match="1 or more"):
        run_bundle(bundle, tmp_path / "bad", tmp_path / "o", batch_size=0)


def trained_elsewhere(folder) -> dict[str, torch.Tensor]:
    """The weights of trial 0, changed as another program's training would."""
    export_trial(made().record, 0, made().root, folder / "first", formats=())
    weights = load_weights(folder / "first" / "generator.safetensors")
    return {name: tensor + 0.01 if tensor.is_floating_point() else tensor for name, tensor in weights.items()}


def test_weights_trained_elsewhere_go_into_a_bundle(tmp_path):
    """The bundle holds them in all formats, is measured anew, passes its checks, and its card names the file."""
    weights = trained_elsewhere(tmp_path)
    torch.save({"state_dict": weights, "epoch": 3}, tmp_path / "mine.pth")
    card = export_trial(
        made().record,
        0,
        made().root,
        tmp_path / "out",
        formats=("pt2",),
        weights=str(tmp_path / "mine.pth"),
    )
    loaded = load_bundle(tmp_path / "out").state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in weights.items())
    assert all(check.passed for check in verify_bundle(tmp_path / "out"))
    assert card.lineage["weights_sha256"] == file_sha256(tmp_path / "mine.pth")
    assert card.notes[0].startswith("the weights are those of mine.pth, trained elsewhere from the network of trial 0")
    before, after = read_card(tmp_path / "first").measurements[0], read_card(tmp_path / "out").measurements[0]
    assert after.name == card.measurements[0].name
    assert before.value != after.value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: dict(list(w.items())[1:]), "weights do not fit trial 0: checkpoint .*"),
        (lambda w: {n: t.repeat(2, *[1] * (t.ndim - 1)) for n, t in w.items()}, "weights do not fit trial 0"),
        (lambda w: {n: t * float("nan") for n, t in w.items()}, "weights do not fit trial 0: .* not finite"),
    ],
)
def test_other_weights_are_refused_in_one_line(tmp_path, change, message):
    """Another network's weights, and a diverged one's, are refused, and no folder is made."""
    save_weights(change(trained_elsewhere(tmp_path)), tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=message) as raised:
        export_trial(made().record, 0, made().root, tmp_path / "out", weights=str(tmp_path / "other.safetensors"))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
