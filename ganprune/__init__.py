"""Searches for pruned versions of a GAN's generator, and the pruning of one network in one call.

    import ganprune

    pruned = ganprune.prune(model, example_inputs, budget="30%")
    pruned.model  # an ordinary, smaller torch.nn.Module

Names are loaded when they are first used: a prune or a reload imports neither Ray nor Optuna.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gan_models.files.errors import UserError, WorkFailed
    from .gan_models.groups.plan import ChannelPlan
    from .studies.api import Search, Study
    from .studies.bench.bench import Bench
    from .studies.bench.contender import Contender
    from .studies.bundle import load_bundle
    from .studies.one_call.exported_files import export
    from .studies.one_call.inspection import Inspection, inspect
    from .studies.one_call.pruned_network import Pruned, prune
    from .studies.run_options import RunOptions

    __version__: str

if not Path(__file__).with_name("studies").is_dir():  # a checkout, whose folders stand beside this one
    __path__.append(str(Path(__file__).parents[1]))

_PLACES = {
    "Bench": ".studies.bench.bench",
    "ChannelPlan": ".gan_models.groups.plan",
    "Contender": ".studies.bench.contender",
    "Inspection": ".studies.one_call.inspection",
    "Pruned": ".studies.one_call.pruned_network",
    "RunOptions": ".studies.run_options",
    "Search": ".studies.api",
    "Study": ".studies.api",
    "UserError": ".gan_models.files.errors",
    "WorkFailed": ".gan_models.files.errors",
    "export": ".studies.one_call.exported_files",
    "inspect": ".studies.one_call.inspection",
    "load_bundle": ".studies.bundle",
    "prune": ".studies.one_call.pruned_network",
}

__all__ = [
    "Bench",
    "ChannelPlan",
    "Contender",
    "Inspection",
    "Pruned",
    "RunOptions",
    "Search",
    "Study",
    "UserError",
    "WorkFailed",
    "__version__",
    "export",
    "inspect",
    "load_bundle",
    "prune",
]


def __getattr__(name: str) -> Any:
    """Return a name of the package, loaded now."""
    if name == "__version__":
        from importlib.metadata import version

        value = version("ganprune")
    elif name in _PLACES:
        value = getattr(import_module(_PLACES[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names of the package, for completion."""
    return sorted({*globals(), *__all__})
