"""Settings of the collector, from arguments, environment and `collector.toml`; it does not start with wrong ones."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar, cast

from otel_llmcost.config import file
from otel_llmcost.config.kinds import Kind, listed, unknown
from otel_llmcost.config.reader import Notes, Table, Unread, said, shown
from otel_llmcost.config.table import OF_COLLECTOR, LogLevel, Setting
from otel_llmcost.errors import ConfigError
from otel_llmcost_collector import setting_rows as rows
from otel_llmcost_collector.backends import backends
from otel_llmcost_collector.forwarding.base import Backend
from otel_llmcost_collector.setting_rows import Place

T = TypeVar("T")

NAME = "collector.toml"
CONFIG = f"{OF_COLLECTOR}CONFIG"
_MIB = 1024 * 1024
_FORWARD = "forward"
_LOSS = "the collector does not start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may reach the collector, and how."""

    tokens: Path | None
    certificate: Path | None
    key: Path | None
    client_ca: Path | None
    is_behind_proxy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive:
    """Where OTLP comes in, and how much of it at a time."""

    grpc: Place | None
    http: Place | None
    most_body_bytes: int
    most_unpacked_bytes: int
    most_in_flight_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Where requests wait for back ends."""

    folder: Path
    memory_bytes: int
    disk_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorSettings:
    """Everything a collector is told, beside the budgets and prices of `llmcost.toml`."""

    state: Path
    """A folder of its own, for what is to be known after a start."""
    node: str
    workers: int
    log_level: LogLevel
    settings_path: Path | None
    """Of `llmcost.toml`; None: where agents look for it."""
    balances: str = field(repr=False)
    ledger: str = field(repr=False)
    """URLs; a password may stand in them."""
    keep: timedelta
    receive: Receive
    api: Place | None
    metrics: Place | None
    """None: with the API."""
    most_series: int
    access: Access
    queue: Queue
    backends: tuple[Backend, ...] = ()
    config_path: Path | None = None


def load(
    environ: Mapping[str, str], *, cwd: Path, home: Path, arguments: Mapping[str, str] | None = None
) -> CollectorSettings:
    """Read the settings: arguments win over the environment, that over the file, that over defaults.

    Args:
        environ: the process's variables.
        cwd: where `collector.toml` is looked for first.
        home: the user's home folder.
        arguments: dotted key of a setting, or `config`, → its value as a text.

    Raises:
        ConfigError: one that tells of all that is wrong.
    """
    notes, given = Notes(), dict(arguments or {})
    named = given.pop("config", "") or environ.get(CONFIG, "").strip() or None
    found = file.first(_candidates(named, environ, cwd=cwd, home=home), must_exist=named is not None)
    notes.file, notes.text = str(found.path or ""), found.text
    if found.problem:
        notes.file_fault(found.problem, line=found.line)
    _note_unknown(found.document, environ, notes)
    for key in given.keys() - {row.key for row in rows.ROWS}:
        notes.variable(key, unknown("setting", key, tuple(row.key for row in rows.ROWS)))
    base = cwd if found.path is None else found.path.parent
    values = _Values(given, environ, found.document, notes)
    state = file.user_folder(environ, "XDG_STATE_HOME", home / ".local" / "state") / "collector"
    settings = _settings(values, base, state, found.path)
    handed_on = backends(found.document, notes, environ, base)
    if notes.problems:
        raise _all_of(notes.problems)
    return replace(settings, backends=handed_on)


class _Values:
    """The value of each setting: the first that is said."""

    def __init__(
        self, arguments: Mapping[str, str], environ: Mapping[str, str], document: Mapping[str, object], notes: Notes
    ) -> None:
        self._arguments = arguments
        self._environ = environ
        self._notes = notes
        self._tables = {"": Table(notes, (), document, loss=_LOSS, guards=False)}
        for section in rows.SECTIONS:
            self._tables[section] = _section(document, section, notes)

    def of(self, row: Setting[T]) -> T:
        """Return the value of one setting."""
        # A place that is "off" is None, so what is not said is something else than None.
        in_file = self._tables[row.section].choose(row.name, cast("Kind[T | Unread]", row.kind), Unread.ABSENT)
        for name, texts in ((row.key, self._arguments), (row.variable, self._environ)):
            text = texts.get(name, "").strip()
            if text:
                return self._read(row, name, text)
        return row.default if isinstance(in_file, Unread) else in_file

    def finish(self) -> None:
        """Note what nobody asked for in the sections."""
        for section in rows.SECTIONS:
            self._tables[section].finish()

    def _read(self, row: Setting[T], name: str, text: str) -> T:
        try:
            return row.kind.read(row.kind.from_text(text))
        except ValueError:
            self._notes.variable(name, said(text, row.kind), row.kind.expected)
            return row.default


def _section(document: Mapping[str, object], section: str, notes: Notes) -> Table:
    found = document.get(section, {})
    if not isinstance(found, dict):
        notes.place((section,), f"found {shown(found)}", loss=_LOSS, expected=f"a table headed [{section}]")
        found = {}
    return Table(notes, (section,), cast("Mapping[str, object]", found), loss=_LOSS, guards=False)


def _settings(values: _Values, base: Path, state: Path, found: Path | None) -> CollectorSettings:
    of = values.of

    def path(row: Setting[str]) -> Path | None:
        text = of(row)
        return base / text if text else None

    beside = base / file.NAME
    settings = CollectorSettings(
        state=state,
        node=of(rows.NODE) or socket.gethostname(),
        workers=of(rows.WORKERS),
        log_level=of(rows.LOG_LEVEL),
        settings_path=path(rows.SETTINGS) or (beside if found is not None and beside.exists() else None),
        balances=of(rows.BALANCES) or _sqlite(state / "balances.db"),
        ledger=of(rows.LEDGER_URL) or _sqlite(state / "charges.db"),
        keep=of(rows.LEDGER_KEEP),
        receive=Receive(
            grpc=of(rows.RECEIVE_GRPC),
            http=of(rows.RECEIVE_HTTP),
            most_body_bytes=of(rows.RECEIVE_BODY) * _MIB,
            most_unpacked_bytes=of(rows.RECEIVE_UNPACKED) * _MIB,
            most_in_flight_bytes=of(rows.RECEIVE_IN_FLIGHT) * _MIB,
        ),
        api=of(rows.API_LISTEN),
        metrics=of(rows.METRICS_LISTEN),
        most_series=of(rows.METRICS_SERIES),
        access=Access(
            tokens=path(rows.TOKENS),
            certificate=path(rows.CERTIFICATE),
            key=path(rows.KEY),
            client_ca=path(rows.CLIENT_CA),
            is_behind_proxy=of(rows.BEHIND_PROXY),
        ),
        queue=Queue(
            folder=path(rows.QUEUE_FOLDER) or state / "queue",
            memory_bytes=of(rows.QUEUE_MEMORY) * _MIB,
            disk_bytes=of(rows.QUEUE_DISK) * _MIB,
        ),
        config_path=found,
    )
    values.finish()
    return settings


def _candidates(named: str | None, environ: Mapping[str, str], *, cwd: Path, home: Path) -> tuple[Path, ...]:
    if named is not None:
        return (home / named[2:] if named.startswith("~/") else cwd / named,)
    return cwd / NAME, file.user_folder(environ, "XDG_CONFIG_HOME", home / ".config") / NAME


def _sqlite(path: Path) -> str:
    return f"sqlite://{path.as_posix().replace('%', '%25')}"


def _note_unknown(document: Mapping[str, object], environ: Mapping[str, str], notes: Notes) -> None:
    keys = (*(row.key for row in rows.ROWS if not row.section), *rows.SECTIONS, _FORWARD)
    for key in document:
        if key not in keys:
            notes.place((key,), unknown("key", key, keys), loss=_LOSS, expected=listed(keys))
    variables = (CONFIG, *(row.variable for row in rows.ROWS))
    for name in environ:
        if name.startswith(OF_COLLECTOR) and name not in variables and f"env:{name}" not in notes.text:
            notes.variable(name, unknown("variable", name, variables))


def _all_of(problems: Sequence[ConfigError]) -> ConfigError:
    """Make one error of several, so that all can be mended at once."""
    if len(problems) == 1:
        return problems[0]
    return ConfigError("\n".join(str(each) for each in sorted(problems, key=lambda each: each.line or 0)))
