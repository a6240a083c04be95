"""The provenance of an exported generator."""

from dataclasses import replace

from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.gan_models.costs.catalog import COSTS
from ganprune.gan_models.export.catalog import EXPORTERS
from ganprune.gan_models.files.packages import Package
from ganprune.gan_models.files.seeds import derived_seed
from ganprune.gan_models.networks.catalog import NETWORKS
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.gan_models.quantization.settings import Quantization, QuantSettings
from ganprune.studies.bundles import provenance
from ganprune.studies.results.outcome import outcome_of

from ...tiny_study import made


def first():
    outcome = outcome_of(made().record)
    return outcome, outcome.study.trials[0]


def test_the_lineage_names_all_that_the_generator_follows_from():
    """Study, trial, method, seeds, data and budgets, as the record has them."""
    outcome, trial = first()
    found = provenance.lineage(outcome, trial, None, "G")
    assert (found["study"], found["trial"], found["method"], found["network"]) == ("tiny", 0, "uniform", "G")
    assert found["trial_seed"] == derived_seed(outcome.config.seed, 0, "trial")
    assert found["budgets"] == ["60%"]
    assert found["architecture"] == trial.ended().architecture
    assert "same_as" not in found


def test_a_repeated_plan_has_the_seed_of_the_trial_that_was_trained():
    """The weights are the earlier trial's, so its number and seed are what makes them again."""
    outcome, trial = first()
    repeated = replace(trial, number=5, outcome=replace(trial.ended(), same_as=0))
    found = provenance.lineage(outcome, repeated, None, "G")
    assert (found["trial"], found["same_as"]) == (5, 0)
    assert found["trial_seed"] == derived_seed(outcome.config.seed, 0, "trial")


def test_a_users_own_file_is_named_without_its_folder(tmp_path):
    """A card omits the path of a generator's file, and says that loading it runs the copy."""
    outcome, trial = first()
    (tmp_path / "net.py").write_text("def make(): ...\n")
    own = replace(outcome, config=replace(outcome.config, model=f"{tmp_path}/net.py:make", input_shape=(3, 16, 16)))
    assert provenance.lineage(own, trial, tmp_path / "net.py", "G")["model"] == "net.py:make"
    (note,) = [line for line in provenance.notes(own, trial, tmp_path / "net.py") if "loading" in line]
    assert "the copy of net.py in this bundle" in note
    assert str(tmp_path) not in note


def test_packages_of_the_rows_are_told_once_each(monkeypatch):
    """One package that adds network, method and cost is one entry; a study of our rows alone has none."""
    outcome, trial = first()
    assert provenance.row_packages(outcome, trial) == ()
    for table in (NETWORKS, METHODS, COSTS):
        monkeypatch.setattr(table, "package", lambda name: Package("numpy"))
    assert provenance.row_packages(outcome, trial) == (Package("numpy"),)
    assert set(provenance.versions(["onnx"], [Package("numpy")])) >= {"python", "ganprune", "torch", "numpy"}


def test_versions_are_of_what_makes_and_runs_the_files():
    """Without formats those of the runtime's packages are left out."""
    runtime = {package.name for package in RUNTIMES[EXPORTERS["onnx"].runtime].needs}
    assert runtime <= provenance.versions(["onnx"]).keys()
    assert not runtime & provenance.versions([]).keys()


def test_fewer_bits_are_told_with_the_files_that_hold_float_weights():
    """The note names bits and files; the published quantizer says that no int8 file is made; 32 bits need no note."""
    assert provenance.bits_notes(None) == ()
    (note,) = provenance.bits_notes(Quantization(QuantSettings(), {}))
    assert "8 bits" in note
    assert "generator.onnx" in note
    assert "no int8 file" in provenance.bits_notes(Quantization(QuantSettings(scheme="published"), {}))[1]
