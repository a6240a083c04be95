"""A real study, as small as one can be: a teacher of two steps, trials of one, on 16x16 pictures."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from ganprune.gan_models.files.plain_values import to_json
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.gan_models.training.recipe import Recipe
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import OpenedStudy, open_study
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.records.ledger import NewTrial
from ganprune.search.records.messages import TrialOutcome, TrialRequest, failure
from ganprune.search.setup.resolve import resolve
from ganprune.search.trial import trial
from ganprune.spaces.methods import settings_of
from ganprune.studies.database.reader import COST_LIMIT, StudyRecord, read_study
from ganprune.studies.database.store import Store
from ganprune.studies.results.outcome import DENSE, TEACHER, VERSION, recorded

PATCH = {"model": "n_layers", "ndf": 4, "n_layers": 1}
SMALL = {
    "model": "resnet",
    "model_args": {"ngf": 4, "n_blocks": 1},
    "data": "builtin:shapes",
    "budgets": ("60%",),
    "image_size": 16,
    "n_train": 8,
    "n_test": 8,
    "task_settings": {"discriminator": PATCH},
    "teacher_steps": 2,
    "teacher_recipe": Recipe(batch_size=2),
    "recipe": Recipe(batch_size=2, distill_output=10.0),
    "finetune_steps": 1,
    "rungs": (),
    "metric": "shapes",
    "device": "cpu",
}
# (method, share of the dense MACs, chosen by, what happens)
TRIALS = (
    ("uniform", 0.60, "ladder:0", "run"),
    ("uniform", 0.30, "ladder:1", "run"),
    ("magnitude", 0.45, "tpe", "run"),
    ("magnitude", 0.40, "tpe", "fail"),
    ("magnitude", 0.42, "tpe", "stop"),
    ("uniform", 0.80, "tpe", "run"),  # over the budget
    ("uniform", 0.35, "tpe", "leave running"),
)


@dataclass(frozen=True)
class Made:
    """A study on disk."""

    record: StudyRecord
    root: Path


@cache
def _scratch() -> TemporaryDirectory:
    return TemporaryDirectory(prefix="ganprune-test-")  # removed when the process ends


def new_folder() -> Path:
    """An empty folder that outlives one test."""
    return Path(mkdtemp(dir=_scratch().name))


@cache
def made(name: str = "tiny") -> Made:
    """The study; made once, so do not change its files: copy them."""
    return make(StudyConfig(name=name, **SMALL), TRIALS)


def opened(config: StudyConfig, **options) -> OpenedStudy:
    """The live part of a study that is resolved now."""
    resolved, parts = resolve(config, **options)
    return open_study(resolved, parts=parts)


def make(config: StudyConfig, trials) -> Made:
    """Trains the teacher, runs the trials, records them; no engine and no Ray."""
    folder = new_folder()
    url, root, plan = f"sqlite:///{folder}/study.db", folder / "artifacts", opened(config)
    study = plan.resolved
    attributes = {**recorded(study), VERSION: "0", DENSE: dict(study.dense), COST_LIMIT: study.limit}
    with Store.create(url, config.name, root, attributes, maximizes=study.config.maximizes) as store:
        teacher = make_teacher(plan, store.folder.path)
        store.set_attribute(TEACHER, to_json(teacher))
        for number, (method, share, origin, what) in enumerate(trials):
            target = share * study.dense[study.cost]
            space = plan.proposals().widths
            widths = space.uniform(target) if method == "uniform" else None
            bits = 8 if what == "run 8" else 32
            proposal = Proposal(method, settings_of(method, {}), target, study.cost, widths, bits)
            store.create_trial(NewTrial(proposal, {}, {}, origin))
            store.started(number)
            folder_of = str(store.folder.trial(number))
            asked = TrialRequest(number, 1, proposal, number, folder_of, study, plan.prepared)
            if what.startswith("run"):
                store.finish(number, trial.run(asked, lambda report: True))
            elif what == "fail":
                store.finish(number, failure("training diverged: a loss at step 1 is not finite"))
            elif what == "stop":
                store.finish(number, TrialOutcome("PRUNED", 90.0, target, rungs={1: 90.0}, stopped="stopped at step 1"))
        record = read_study(url, config.name)
    return Made(record, root)
