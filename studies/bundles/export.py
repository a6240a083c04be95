"""From a study to bundles: which trials may be exported, and the export itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from ...evaluators.cost.counters import count_macs
from ...evaluators.measurement import Measurement
from ...gan_models.costs.catalog import added_counts
from ...gan_models.export.catalog import check_formats
from ...gan_models.export.file_options import FileOptions
from ...gan_models.files.atomic_files import write_json
from ...gan_models.files.atomic_folders import fresh_folder
from ...gan_models.files.errors import UserError
from ...gan_models.files.kept_copies import located, look_in
from ...gan_models.files.packages import Package
from ...gan_models.files.texts.number_text import percent
from ...gan_models.files.user_code import file_of
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.networks.specs import InputSpec
from ...gan_models.networks.value_ranges import with_own_ranges
from ...gan_models.quantization.settings import Quantization, QuantSettings
from ...search.artifacts.study_folder import StudyFolder
from ...search.records.ledger import TrialRecord
from ...search.setup.kept_files import task_files
from ...search.setup.pruned_generators import own_entries, own_measurements, own_plan
from ...search.setup.study_parts import StudyParts
from ...search.trial.cut_check import PEAK, peak_memory
from ...spaces.budget import describe
from ..database.reader import StudyRecord
from ..results.outcome import SIMULATED, Outcome, measurements_of, named, outcome_of, point
from .architecture import SOURCE, Architecture
from .bundle import write_bundle
from .card import Card, Parity
from .format_files import WantedFormats, outputs_of
from .latency.measured import measure_table, runtimes_of
from .latency.table import LatencyTable
from .provenance import bits_notes, lineage, notes, row_packages, versions
from .study_data import StudyData
from .trial_weights import OwnWeights, own_weights, trial_generator, trial_quantizations

FRONT = "front.json"
OnTested = Callable[[int, Sequence[Measurement]], None]


class NotExportable(UserError):
    """A trial, or a study, from which nothing can be exported; one line that says what can."""


def exportable(study: StudyRecord, number: int) -> TrialRecord:
    """Return the trial of this number, if it may be exported: complete and inside the budget.

    Raises:
        NotExportable: No such trial, or its state does not allow it; the message lists those that can be.
    """
    if study.attributes.get(SIMULATED):
        raise NotExportable(f"study {study.name} is simulated: nothing was trained, so there is nothing to export")
    can = [trial.number for trial in study.trials if trial.scored]
    offer = f"these can: {', '.join(map(str, can))}" if can else "no trial can yet"
    trial = next((trial for trial in study.trials if trial.number == number), None)
    if trial is None:
        raise NotExportable(f"study {study.name} has no trial {number}; {offer}")
    if trial.scored:
        return trial
    why = f" ({trial.stopped})" if trial.stopped else ""
    if trial.state == "COMPLETE":
        why = f" but {', '.join(trial.violated) or 'without a quality'}"
    raise NotExportable(f"trial {number} of study {study.name} is {trial.state}{why} and cannot be exported; {offer}")


def best_under(study: StudyRecord, budget: str) -> TrialRecord:
    """Return the trial of the best quality whose cost is at or under a budget; of equals the cheaper one.

    Args:
        study: The study.
        budget: As on the command line: `15%`, `2.5GMACs`, `1Mparams`, ...

    Raises:
        BudgetError: The text is not a budget.
        NotExportable: No trial is so cheap (the message names the cheapest), or none has that cost measured.
    """
    outcome = outcome_of(study)
    wanted = outcome.config.budget_of(budget)
    if not outcome.scored:
        raise NotExportable(f"study {study.name} has no complete trial inside its budget yet")
    if wanted.relative and wanted.cost not in outcome.dense:
        raise NotExportable(f"the dense network's {wanted.cost} are not known any more; give an absolute budget")
    limit = wanted.amount * (outcome.dense[wanted.cost] if wanted.relative else 1.0)
    costs = {trial.number: cost_of(outcome, trial, wanted.cost) for trial in outcome.scored}
    known = [(cost, trial) for trial in outcome.scored if (cost := costs[trial.number]) is not None]
    if not known:
        raise NotExportable(f"no trial of study {study.name} has its {wanted.cost} measured; give a budget in MACs")
    under = [(point(trial)[0], cost, trial.number, trial) for cost, trial in known if cost <= limit * (1 + 1e-9)]
    if under:
        return min(under)[-1]
    cost, trial = min(known, key=lambda entry: (entry[0], entry[1].number))
    whole = outcome.dense.get(wanted.cost)
    share = f", {percent(cost / whole)}% of the dense network" if whole else ""
    raise NotExportable(
        f"no trial costs at most {budget} = {describe(limit, wanted.cost)}; the cheapest is trial {trial.number} "
        f"with {describe(cost, wanted.cost)}{share}"
    )


def cost_of(outcome: Outcome, trial: TrialRecord, cost: str) -> float | None:
    """One of a trial's costs by name; None where it was not measured."""
    if cost == outcome.cost:
        return trial.cost
    found = named(measurements_of(trial), cost)
    return None if found is None or found.reason else found.value


def export_trial(
    study: StudyRecord,
    number: int,
    artifacts_root: str | Path,
    out: str | Path,
    overwrite: bool = False,
    int8: bool = False,
    formats: Sequence[str] | None = None,
    weights: str = "",
    on_tested: OnTested = lambda number, measured: None,
    options: FileOptions = FileOptions(),
) -> Card:
    """Write one trial's generator as a bundle; of a trial that pruned both directions a bundle each, `out/AtoB`, ...

    Args:
        study: The study's record.
        number: The trial.
        artifacts_root: Folder of all studies' artifacts.
        out: The bundle's folder.
        overwrite: Whether a bundle that is there is replaced.
        int8: Also write the file in 8 bits of a trial that was trained in 32 bits.
        formats: Names of export formats; None: the default ones, and 8-bit files for a trial of 8 bits.
        weights: File of weights that were trained on elsewhere, instead of the trial's; of two generators
            `AtoB=FILE,BtoA=FILE`. They are measured anew.
        on_tested: Called with the number and measurements of a trial that is measured on the test split for the first
            time.
        options: Options of the files.

    Returns:
        The bundle's card; of two bundles, the one with the larger difference.

    Raises:
        NotExportable: The trial is not complete, or over the budget.
        UserError: `out` exists, a format is unknown or cannot hold this network, or the weights do not fit it.
        ArtifactError: The trial's files are missing or differ from the record.
        RuntimeError: The outputs of an exported file differ from the generator's.
    """
    trial = exportable(study, number)
    return StudyExporter(study, artifacts_root, int8, formats, weights, on_tested, options).export(
        trial, out, overwrite
    )


def export_front(
    study: StudyRecord,
    artifacts_root: str | Path,
    out: str | Path,
    overwrite: bool = False,
    int8: bool = False,
    formats: Sequence[str] | None = None,
    on_tested: OnTested = lambda number, measured: None,
    options: FileOptions = FileOptions(),
) -> dict[int, Card]:
    """Write every trial of the front as a bundle `trial-<number>` in one folder, which appears whole or not at all.

    Returns:
        Cards by trial number, in the order of rising cost.

    Raises:
        NotExportable: There is no front yet.
        UserError, ArtifactError, RuntimeError: As `export_trial`.
    """
    exporter = StudyExporter(study, artifacts_root, int8, formats, on_tested=on_tested, options=options)
    front = exporter.outcome.front
    if not front:
        raise NotExportable(f"study {study.name} has no front yet: no trial is complete inside the budget")
    cards = {}
    with fresh_folder(out, FRONT, overwrite) as folder:
        for trial in front:
            cards[trial.number] = exporter.export(trial, folder / f"trial-{trial.number}", False)
        bundles = {
            f"trial-{trial.number}": {"quality": exporter.outcome.value(point(trial)[0]), "cost": point(trial)[1]}
            for trial in front
        }
        write_json(folder / FRONT, {"study": study.name, "cost": exporter.outcome.cost, "bundles": bundles})
    return cards


@dataclass(frozen=True)
class _OnTest:
    """The measurements on the test split, of a study that chose by other images; else empty.

    Attributes:
        pruned, teacher, untouched: Of the trial, the dense generator and the untouched inputs.
        missing: Why the trial was not measured; empty if it was.
    """

    pruned: tuple[Measurement, ...] = ()
    teacher: tuple[Measurement, ...] = ()
    untouched: tuple[Measurement, ...] = ()
    missing: str = ""

    def of(self, name: str) -> _OnTest:
        """Return one of two generators' own."""
        own = (own_measurements(each, name) for each in (self.pruned, self.teacher, self.untouched))
        return _OnTest(*own, missing=self.missing)


@dataclass(frozen=True)
class _Part:
    """The content of one bundle: a generator, its plan and groups at full width, and its measurements."""

    name: str
    model: nn.Module
    full: nn.Module
    plan: ChannelPlan
    sizes: Mapping[str, int]
    whole: Mapping[str, str]
    measurements: tuple[Measurement, ...]
    teacher: tuple[Measurement, ...]
    untouched: tuple[Measurement, ...]
    tested: _OnTest
    quantized: Quantization | None = None


@dataclass(frozen=True)
class Untrained:
    """A network that was cut to a plan and refitted, but not trained.

    Attributes:
        plan_name: Name of the plan in the study.
        model: The network, in eval mode on the CPU.
        plan: Channels of the teacher that it keeps.
    """

    plan_name: str
    model: nn.Module
    plan: ChannelPlan

    @property
    def note(self) -> str:
        """The note for users of the bundle."""
        return (
            f"NOT TRAINED: plan {self.plan_name} was cut and refitted in closed form; its measurements are zero-shot "
            "scores, a forecast of what training starts from"
        )


def _benchmark(dense: nn.Module, inputs: InputSpec, pruned: nn.Module, formats: tuple[str, ...]) -> LatencyTable:
    """Return the latencies of a generator and of the dense one, in the runtimes of its files."""
    return measure_table(pruned, dense, inputs, runtimes_of(formats), torch.get_num_threads())


def _facts(study: str, trial: TrialRecord, untrained: Untrained | None) -> dict[str, str]:
    """Return where a generator comes from, for the metadata of its files."""
    version = Package("ganprune").version()
    source = f"trial {trial.number}" if untrained is None else f"plan {untrained.plan_name}, not trained"
    return {"made by": f"ganprune {version}", "study": study, "source": source, "method": trial.new.method}


class StudyExporter:
    """An exporter of one study, whose network at full width and groups all its exports share."""

    def __init__(
        self,
        study: StudyRecord,
        artifacts_root: str | Path,
        int8: bool,
        formats: Sequence[str] | None,
        weights: str = "",
        on_tested: OnTested = lambda number, measured: None,
        options: FileOptions = FileOptions(),
    ) -> None:
        self.on_tested = on_tested
        self.wanted = WantedFormats(None if formats is None else tuple(formats), int8, options=options)
        check_formats(self.wanted.asked)
        self.study, self.outcome = study, outcome_of(study)
        self.folder = StudyFolder(Path(artifacts_root), study.name)
        look_in(self.folder.source)
        resolved = self.outcome.resolved
        self.parts = StudyParts(self.outcome.config, pinned=resolved.groups.whole if resolved else None)
        self._full: nn.Module | None = None
        self.weights = own_weights(weights, self.parts.names)
        self.data = StudyData(self.outcome, self.folder)

    def export(self, trial: TrialRecord, out: str | Path, overwrite: bool, untrained: Untrained | None = None) -> Card:
        """Write a trial's generator, or an untrained network in a trial's form."""
        config = self.outcome.config
        if self._full is None:
            self._full = self.parts.full_network()
        full, groups = self._full, self.parts.groups
        if untrained is None:
            model, plan = trial_generator(config, self.folder, trial, full, groups)
        else:
            model, plan = untrained.model, untrained.plan
        quantized = trial_quantizations(self.folder, trial)
        if quantized and self.weights:
            raise NotExportable(
                f"trial {trial.number} was trained in fewer bits: got weights trained elsewhere, whose ranges are not "
                "known; expected a trial of 32 bits. Try --weights with one of these, and --int8"
            )
        whole, found, teacher = self.parts.left_whole, measurements_of(trial), self.outcome.teacher
        untouched = self.outcome.inputs
        found = (*found, *self.outcome.finalists(trial.number))
        names = self.parts.names
        tested = _OnTest() if self.weights or untrained is not None else self._on_test(trial)
        if len(names) == 1:
            (name,) = names
            return self._write(
                trial,
                _Part(
                    name, model, full, plan, groups.sizes, whole, found, teacher, untouched, tested, quantized.get(name)
                ),
                out,
                overwrite,
                untrained,
            )
        with fresh_folder(out, FRONT, overwrite) as folder:
            cards = []
            for name in names:
                part = _Part(
                    name,
                    model.get_submodule(name),
                    full.get_submodule(name),
                    own_plan(name, plan),
                    self.parts.own_groups[name].sizes,
                    {group: str(reason) for group, reason in own_entries(name, whole).items()},
                    own_measurements(found, name),
                    own_measurements(teacher, name),
                    own_measurements(untouched, name),
                    tested.of(name),
                    quantized.get(name),
                )
                cards.append(self._write(trial, part, folder / name, False, untrained))
            write_json(folder / FRONT, {"study": self.study.name, "bundles": list(names)})
        return max(cards, key=lambda card: card.worst)

    def _on_test(self, trial: TrialRecord) -> _OnTest:
        """Return what is known on the test split; a trial that was not measured there is measured now."""
        outcome = self.outcome
        if not outcome.selects:
            return _OnTest()
        pruned = outcome.tested(trial.number)
        if not pruned or pruned[0].reason is not None:
            pruned = self.data.on_test(trial)
            if pruned[0].reason is None:
                self.on_tested(trial.number, pruned)
        missing = pruned[0].reason or ""
        return _OnTest(() if missing else pruned, outcome.teacher_tested, outcome.inputs_tested, missing)

    def _write(
        self, trial: TrialRecord, part: _Part, out: str | Path, overwrite: bool, untrained: Untrained | None
    ) -> Card:
        config = self.outcome.config
        for network in (part.model, part.full):  # whoever runs a bundle's files has the images of the network's code
            with_own_ranges(network)
        file = file_of(config.model)
        source = None if file is None else located(file)
        architecture = self._architecture(part, source)
        names, settings = self.outcome.costs, part.quantized and part.quantized.settings
        counted = _costs(part.model, architecture.inputs, names, settings)
        dense = _costs(part.full, architecture.inputs, names)
        wanted = replace(
            self.wanted,
            quantization=part.quantized,
            settings=config.quantization_settings,
            calibration=self.data.calibration(part.name),
            real=self.data.real(part.name),
            measure=self.data.measure(part.name),
            better="higher" if config.maximizes else "lower",
            facts=_facts(self.study.name, trial, untrained),
            benchmark=partial(_benchmark, part.full, architecture.inputs) if self.wanted.options.benchmark else None,
        )

        own = self.weights.get(part.name)
        part = part if own is None else self._with_weights(trial, part, own)
        said = notes(self.outcome, trial, source)
        if own is not None:
            said = (own.note(trial.number, bool(part.measurements)), *said)
        if untrained is not None:
            said = (untrained.note, *said)
        if part.tested.missing:
            said += (f"its quality was not measured on the test split: {part.tested.missing}",)

        changed = own.lineage() if own else {}
        changed |= {} if untrained is None else {"trial": None, "plan": untrained.plan_name, "trained": False}

        def card_of(parity: Parity) -> Card:
            return Card(
                costs=counted,
                teacher_costs=dense,
                measurements=part.measurements,
                teacher_measurements=part.teacher,
                lineage=lineage(self.outcome, trial, source, part.name) | changed,
                versions=versions(wanted.every, row_packages(self.outcome, trial)),
                parity=parity,
                input_measurements=part.untouched,
                notes=(*said, *bits_notes(part.quantized)),
                split=self.outcome.split if own is None else "test",
                tested=part.tested.pruned,
                teacher_tested=part.tested.teacher,
                input_tested=part.tested.untouched,
                better="higher" if config.maximizes else "lower",
            )

        return write_bundle(out, architecture, part.model, card_of, source, overwrite, wanted, task_files(config))

    def _with_weights(self, trial: TrialRecord, part: _Part, own: OwnWeights) -> _Part:
        """Return the contents of a bundle with weights from elsewhere, measured on the test split."""
        own.load(part.model, trial.number)
        found = self.data.measure(part.name)(lambda *inputs: outputs_of(part.model, *inputs))
        teacher, untouched = part.teacher, part.untouched
        if self.outcome.selects:
            names = self.parts.names
            teacher, untouched = self.outcome.teacher_tested, self.outcome.inputs_tested
            if len(names) > 1:
                teacher, untouched = (own_measurements(each, part.name) for each in (teacher, untouched))
        return replace(part, measurements=tuple(found), teacher=tuple(teacher), untouched=tuple(untouched))

    def _architecture(self, part: _Part, source: Path | None) -> Architecture:
        config = self.outcome.config
        model = config.model if source is None else f"{SOURCE}:{config.model.rpartition(':')[2]}"
        return Architecture(
            model=model,
            arguments=dict(config.model_args),
            inputs=config.own_inputs,
            task=config.task_name,
            network=part.name,
            plan=part.plan,
            sizes=part.sizes,
            whole=part.whole,
            output=self.parts.output,
            architecture=part.plan.architecture(model, config.model_args),
        )


def _costs(
    model: nn.Module, inputs: InputSpec, names: Sequence[str], quantization: QuantSettings | None = None
) -> dict[str, float]:
    example = inputs.examples(1)
    costs = {name: float(value) for name, value in count_macs(model, example).items()}
    added = added_counts(names, model, example, quantization)
    return costs | added | {PEAK: peak_memory(model, example).value}
