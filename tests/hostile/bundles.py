"""Hostile bundles: of this version and the first one, with code of their own, on disk and on the Hub."""

import json
import random
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from ganprune.evaluators.cost.counters import count_macs
from ganprune.gan_models.files.errors import UserError, WorkFailed
from ganprune.gan_models.files.hashes import file_sha256
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.studies.bundles.architecture import SOURCE, Architecture
from ganprune.studies.bundles.bundle import load_bundle, read_architecture, read_card, write_bundle
from ganprune.studies.bundles.card import Card
from ganprune.studies.bundles.card_text import card_text
from ganprune.studies.bundles.format_files import WantedFormats
from ganprune.studies.bundles.inference import run_bundle
from ganprune.studies.bundles.verify import verify_bundle
from ganprune.studies.integrations.hub.repository import local_bundle, write_repository
from PIL import Image

from .guard import BAIT, MARK, ROOT
from .kind import Kind, any_file
from .mutations import PATHS, as_json, mutated_bytes, mutated_tree

_CODE = f"""
import torch
from torch import nn

{MARK} = 1

def build():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1), nn.Tanh())
"""
_NAMES = (
    f"{BAIT[0]}:fly",
    "os:system",
    f"{MARK}.py:build",
    "builtins:exec",
    f"/tmp/{MARK}.py:x",
    "unet",
    "sngan_32",
    "rrdbnet",
    "",
)
_ARGUMENTS = (
    {"ngf": 10**6}, {"ngf": 2**63}, {"n_blocks": 10**7}, {"n_blocks": 3000}, {"ngf": -1}, {"ngf": 0}, {"ngf": 4, "norm": "x" * 9000},
    {"n_blocks": 10**9, "ngf": 1}, {"input_nc": 10**9}, {"ngf": [4]}, {"ngf": {"a": 1}}, {"ngf": float("nan")}, {"__class__": 1},
    {"ngf": 30_000},
)  # fmt: skip
_INPUTS = (
    "3,100000,100000",
    "3,30000,30000",
    "3,2048,2048",
    "latent:2000000000",
    "3,1,1",
    "900,16,16",
    "3,16,16@0,1",
    "image:3,16,16;mask:1,16,16",
)


def _write(folder: Path, model: str, arguments: dict, file: Path | None) -> None:
    torch.manual_seed(0)
    full = build(str(file) + ":build" if file else model, arguments).eval()
    inputs = InputSpec.parse("3,16,16")
    groups = find_groups(full, inputs.examples())
    plan = ChannelPlan({name: tuple(range(max(1, size // 2))) for name, size in groups.sizes.items()})
    architecture = Architecture(
        model,
        arguments,
        inputs,
        "paired",
        "G",
        plan,
        groups.sizes,
        {},
        plan.architecture(model, arguments),
        OutputSpec(3, (16, 16)),
    )
    small = cut(full, groups, plan).eval()
    costs = {name: float(value) for name, value in count_macs(small, inputs.examples()).items()}

    def card_of(parity):
        return Card(costs, costs, (), (), {"study": "s", "trial": 0}, {}, parity)

    write_bundle(folder, architecture, small, card_of, file, wanted=WantedFormats(("onnx",)))


def _seeds(folder: Path) -> None:
    code = folder / "code.py"
    code.write_text(_CODE)
    _write(folder / "catalog", "resnet", {"ngf": 4, "n_blocks": 1}, None)
    _write(folder / "own", f"{SOURCE}:build", {}, code)
    code.unlink()
    for name in ("bundle-8bit", "bundle-float"):
        shutil.copytree(ROOT / "tests" / "fixtures" / "0.1.0" / name, folder / name)


def _seal(folder: Path) -> None:
    """Make the manifest fit the files, as an attacker would."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
        manifest["files"] = {
            name: file_sha256(folder / name) for name in manifest["files"] if (folder / name).is_file()
        }
    except (ValueError, KeyError, TypeError, OSError, AttributeError, RecursionError):
        return
    path.write_text(json.dumps(manifest))


def _changed(folder: Path, dice: random.Random) -> None:
    """Change one file of a bundle."""
    how = dice.randrange(12)
    architecture = folder / "architecture.json"
    if how < 4:
        content = json.loads(architecture.read_text())
        which = dice.randrange(6)
        if which == 0:
            content["model"] = dice.choice(_NAMES)
        elif which == 1:
            content["arguments"] = {**content["arguments"], **dice.choice(_ARGUMENTS)}
        elif which == 2 and "inputs" in content:
            from ganprune.gan_models.files.plain_values import to_json

            content["inputs"] = to_json(InputSpec.parse(dice.choice(_INPUTS)))
        elif which == 3:
            content["plan"] = mutated_tree(content["plan"], dice)
        else:
            content = mutated_tree(content, dice, dice.choice([1, 2, 4]))
        _rehash(content, dice)
        architecture.write_bytes(as_json(content, dice))
    elif how < 7:
        path = folder / dice.choice(["card.json", "card.json", "manifest.json"])
        content = mutated_tree(json.loads(path.read_text()), dice, dice.choice([1, 2, 4]))
        if path.name == "card.json" and dice.random() < 0.3:
            for report in (
                content.get("formats", {}).values()
                if isinstance(content, dict) and isinstance(content.get("formats"), dict)
                else ()
            ):
                if isinstance(report, dict):
                    report["file"] = dice.choice(PATHS)
        if (
            path.name == "manifest.json"
            and dice.random() < 0.4
            and isinstance(content, dict)
            and isinstance(content.get("files"), dict)
        ):
            content["files"][dice.choice(PATHS)] = "0" * 64
        path.write_bytes(as_json(content, dice))
    elif how == 7:
        weights = folder / "generator.safetensors"
        weights.write_bytes(mutated_bytes(weights.read_bytes(), dice))
    elif how == 8:
        path = dice.choice(sorted(folder.glob("*.onnx")))
        path.write_bytes(mutated_bytes(path.read_bytes(), dice))
    elif how == 9:
        path = any_file(folder, dice)
        path.unlink()
    elif how == 10:
        (folder / "source.py").write_text(_CODE)
        (folder / "neighbors").mkdir(exist_ok=True)
        (folder / "neighbors" / "index.json").write_bytes(as_json({"a": [PATHS[0]]}, dice))
    else:
        path = any_file(folder, dice)
        path.write_bytes(mutated_bytes(path.read_bytes(), dice))


def _rehash(content: object, dice: random.Random) -> None:
    """Make the hash in an architecture fit, so that its content is reached."""
    if dice.random() < 0.2 or not isinstance(content, dict):
        return
    try:
        kept = content["plan"].get("kept", content["plan"])
        content["architecture"] = ChannelPlan.from_json(kept).architecture(content["model"], content["arguments"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return


def _make(dice: random.Random, seeds: Path, case: Path) -> None:
    seed = dice.choice(sorted(path for path in seeds.iterdir() if path.is_dir()))
    shutil.copytree(seed, case / "bundle")
    for _ in range(dice.choice([1, 1, 2])):
        try:
            _changed(case / "bundle", dice)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError):
            break  # the second change finds a file that the first one damaged
    if dice.random() < 0.9:
        _seal(case / "bundle")
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(case / "input.png")


def _read(case: Path, results: Path) -> None:
    folder, refusal = case / "bundle", None

    def card():
        architecture = read_architecture(folder)
        card_text(read_card(folder), architecture.inputs, architecture.output)

    for read in (
        lambda: load_bundle(folder, catalog_only=True),
        card,
        lambda: [_line(check.detail) for check in verify_bundle(folder, catalog_only=True)],
        lambda: run_bundle(folder, case / "input.png", results / "out", catalog_only=True, device="cpu"),
        lambda: run_bundle(folder, case / "input.png", results / "out2", catalog_only=True, format="onnx"),
    ):
        try:
            read()
        except (UserError, WorkFailed) as error:
            refusal = error
    if refusal is not None:
        raise refusal


def _line(text: str) -> None:
    if len(text) > 2000 or "\x1b" in text:
        raise AssertionError(f"a check's line of {len(text)} characters: {text[:200]!r}")


def _read_hub(case: Path, results: Path) -> None:
    """A repository of the Hub, whose client is a fake that copies files."""
    folder = case / "bundle"
    fake, errors = ModuleType("huggingface_hub"), ModuleType("huggingface_hub.errors")

    class Gone(Exception):
        """A file that is not there."""

    def download(name: str, file: str, revision: str | None = None) -> str:
        if not (folder / file).is_file():
            raise Gone(file)
        return str(folder / file)

    fake.hf_hub_download = download  # pyright: ignore[reportAttributeAccessIssue]
    for name in (
        "LocalEntryNotFoundError",
        "RepositoryNotFoundError",
        "RevisionNotFoundError",
        "HfHubHTTPError",
        "HTTPError",
    ):
        setattr(errors, name, type(name, (Exception,), {}))
    errors.EntryNotFoundError = Gone  # pyright: ignore[reportAttributeAccessIssue]
    fake.errors = errors  # pyright: ignore[reportAttributeAccessIssue]
    before = {name: sys.modules.get(name) for name in ("huggingface_hub", "huggingface_hub.errors")}
    fake.__spec__ = torch.__spec__  # so that it counts as installed
    sys.modules["huggingface_hub"], sys.modules["huggingface_hub.errors"] = fake, errors
    try:
        local = local_bundle("hf:somebody/small")
        write_repository(local, results / "up")
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


KINDS = {
    "bundles": Kind(_seeds, _make, _read),
    "Hub cards": Kind(_seeds, _make, _read_hub),
}
