"""Latency profiles in the database: ganprune's own tables next to Optuna's, one row per layer and one per network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from sqlalchemy import Column, MetaData, String, Table, Text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from ...evaluators.cost.device import COMMAND, Device, cpu_model, cpus_allowed
from ...gan_models.files.parsers.structured_text import parse_json
from ...gan_models.files.plain_values import from_json, to_json
from ...search.config import StudyConfig
from ...search.latency.profile import PROFILE_HINT, LatencyProfile, LayerTable, blocks_of, network_key, read_profile
from ...search.setup.opened_profile import NoProfile
from .storage import StorageError, one_line, open_storage, shown

_TABLES = MetaData()
LAYERS = Table(
    "ganprune_latency_layers",
    _TABLES,
    Column("device", String(16), primary_key=True),
    Column("layer", String(32), primary_key=True),
    Column("content", Text, nullable=False),
)
PROFILES = Table(
    "ganprune_latency_profiles",
    _TABLES,
    Column("device", String(16), primary_key=True),
    Column("network", String(32), primary_key=True),
    Column("model", Text, nullable=False),
    Column("content", Text, nullable=False),
)


class ProfileStore:
    """A store of the latency profiles in a database.

    Args:
        url: The database, see `storage.parse_url`.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @contextmanager
    def _engine(self, *, write: bool) -> Iterator[Engine]:
        storage = open_storage(self.url, write=write)
        try:
            if write:
                _TABLES.create_all(storage.engine)
            yield storage.engine
        except SQLAlchemyError as error:
            raise StorageError(f"cannot use {shown(self.url)}: {one_line(error)}") from None
        finally:
            storage.engine.dispose()

    def prepare(self) -> None:
        """Create the database and its tables if they are missing. Raises StorageError."""
        with self._engine(write=True):
            pass

    def layers(self, device: Device) -> dict[str, LayerTable]:
        """Return all layers that were measured on a device, by key. Raises StorageError."""
        rows = self._rows(LAYERS, device.id)
        return {row["layer"]: from_json(LayerTable, parse_json(row["content"])) for row in rows}

    def put_layer(self, device: Device, layer: LayerTable) -> None:
        """Store one layer's table, replacing an older one. Raises StorageError."""
        values = {"device": device.id, "layer": layer.key, "content": json.dumps(to_json(layer))}
        self._put(LAYERS, values)

    def profiles(self) -> tuple[LatencyProfile, ...]:
        """Return all profiles, or none if the database has never had one. Raises StorageError."""
        return tuple(LatencyProfile.from_json(parse_json(row["content"])) for row in self._rows(PROFILES))

    def put(self, profile: LatencyProfile) -> None:
        """Store a profile, replacing an older one of the same device and network. Raises StorageError."""
        content = json.dumps(profile.to_json())
        values = {"device": profile.device.id, "network": profile.network, "model": profile.model, "content": content}
        self._put(PROFILES, values)

    def _rows(self, table: Table, device: str | None = None) -> list[Mapping[str, str]]:
        with self._engine(write=False) as engine:
            if not sqlalchemy.inspect(engine).has_table(table.name):
                return []
            query = sqlalchemy.select(table).order_by(*table.primary_key.columns)
            query = query if device is None else query.where(table.c.device == device)
            with engine.connect() as connection:
                return [dict(row._mapping) for row in connection.execute(query)]

    def _put(self, table: Table, values: Mapping[str, str]) -> None:
        same = sqlalchemy.and_(*(column == values[column.name] for column in table.primary_key.columns))
        with self._engine(write=True) as engine, engine.begin() as connection:
            connection.execute(sqlalchemy.delete(table).where(same))
            connection.execute(sqlalchemy.insert(table).values(**values))


def find_profile(url: str, wanted: str, config: StudyConfig) -> LatencyProfile:
    """Return the latency profile for a study.

    Args:
        url: The database.
        wanted: A profile's file, its device's id or name in the database, its runtime (`litert`, `ncnn-float16`), or
            empty: the one of this machine.
        config: Resolved configuration.

    Raises:
        NoProfile: There is none, or several and none was named; one line with what to do.
        StorageError: The database cannot be read.
    """
    if wanted and Path(wanted).expanduser().is_file():
        return read_profile(wanted)
    try:
        every = ProfileStore(url).profiles()
    except StorageError:
        if wanted or not url.startswith("sqlite"):
            raise
        every = ()  # a database that the search itself will make
    keys: dict[int, str] = {}  # by batch: the network is traced once for each

    def fits(profile: LatencyProfile) -> bool:
        batch = profile.device.batch
        if batch not in keys:
            arguments, output = dict(config.model_args), str(config.output)
            keys[batch] = network_key(blocks_of(config.model, arguments, config.inputs, batch, output))
        return profile.network == keys[batch]

    if wanted:
        named = [profile for profile in every if wanted in _names(profile.device)]
        found = [profile for profile in named if fits(profile)]
        if len(found) == 1:
            return found[0]
        if found:
            raise NoProfile(f"several latency profiles are called {wanted}: name one by its id: {_offer(found)}")
        there = ", ".join(sorted({profile.device.id for profile in every})) or "none"
        why = f"profile {wanted} holds other networks" if named else f"no profile {wanted!r}, there are {there}"
        raise NoProfile(f"{why}: {PROFILE_HINT}")
    here = [profile for profile in every if profile.device.machine[:2] == (cpu_model(), cpus_allowed())]
    found = [profile for profile in here if fits(profile)]
    if len(found) == 1:
        return found[0]
    if found:
        raise NoProfile(
            f"several latency profiles of this machine fit: name one, --latency-profile ID or RUNTIME: {_offer(found)}"
        )
    others = f"{len(every) - len(here)} of other machines" if len(every) > len(here) else "none of others either"
    raise NoProfile(
        f"a budget in ms needs a latency profile of this device ({cpu_model()}, {cpus_allowed()} CPUs) for "
        f"{config.model} at {config.inputs}, and {shown(url)} has none ({others}): {PROFILE_HINT}"
    )


def _names(device: Device) -> tuple[str, ...]:
    """Return what a profile may be called: the id of its device, a remote device's name, this machine's runtimes."""
    if device.runtime == COMMAND:
        return device.id, device.cpu
    here = device.machine[:2] == (cpu_model(), cpus_allowed())
    return (device.id, *((device.runtime, f"{device.runtime}-{device.dtype}") if here else ()))


def _offer(profiles: Sequence[LatencyProfile]) -> str:
    return "; ".join(f"{profile.device.id} ({profile.device.describe()})" for profile in profiles)
