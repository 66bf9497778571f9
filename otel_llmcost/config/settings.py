"""Settings, from arguments, environment and file; nothing in them can stop the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from otel_llmcost.config import file, sections, table
from otel_llmcost.config.kinds import FROM_ENVIRONMENT, listed, unknown
from otel_llmcost.config.reader import Notes, Table, said, shown
from otel_llmcost.config.sections import Document
from otel_llmcost.config.table import Count, LogLevel, Setting, Spans
from otel_llmcost.core.alert import Channel
from otel_llmcost.core.attribution import Dimension, Tags
from otel_llmcost.core.budget import DEFAULT_MARKS, Budget
from otel_llmcost.core.overrides import PriceOverride
from otel_llmcost.errors import ConfigError

if TYPE_CHECKING:
    from otel_llmcost.core.anomaly import Anomalies
    from otel_llmcost.core.fixed import FixedCost

T = TypeVar("T")

_SECTIONS = ("attribution", "budget", "limit", "tiers", "alert", "price", "fixed_cost", "anomalies")
_KEYS = (*(setting.key for setting in table.SETTINGS if setting.key and not setting.section), *_SECTIONS)
_NO_EFFECT = "it has no effect"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)  # each costs time at every agent's start
class Settings:
    """Everything a process is told. What could not be read stands in `problems` and counts as not said."""

    store: str
    store_token: str = ""
    """Says who asks, where the store is a server; empty: nobody in particular."""
    spans: Spans
    count: Count
    summary: bool
    strict: bool
    disabled: bool
    log_level: LogLevel
    attribution: Tags = field(default_factory=dict[Dimension, str])
    """Who calls of this process are for, unless code or baggage says otherwise."""
    budgets: tuple[Budget, ...] = ()
    """Those of `[[budget]]`, then the limits of `[[limit]]`, then both of `[tiers.…]`."""
    channels: tuple[Channel, ...] = ()
    prices: tuple[PriceOverride, ...] = ()
    fixed_costs: tuple[FixedCost, ...] = ()
    anomalies: Anomalies | None = None
    """None: nothing was said, and the defaults hold."""
    problems: tuple[ConfigError, ...] = ()
    notices: tuple[str, ...] = ()
    """What was read and is right, but has no effect in this version."""
    refuse_all_reason: str | None = None
    """Why no call may be sent: all is strict, and something that would limit calls could not be read."""
    refreshed_prices: Path
    """Where `prices update` writes; need not exist."""
    config_path: Path | None = None
    """The file that was read, or could not be; None: there is none."""


def load(environ: Mapping[str, str], *, cwd: Path, home: Path, arguments: Mapping[str, str] | None = None) -> Settings:
    """Read the settings: arguments win over the environment, that over the file, that over defaults. Never raises.

    Args:
        environ: the process's variables.
        cwd: where `llmcost.toml` is looked for first, and what a relative path to it starts from.
        home: the user's home folder.
        arguments: name of a setting → its value as a text, as given on a command line.
    """
    notes = Notes()
    values = _Values(arguments or {}, environ, notes)
    named = values.said(table.CONFIG)
    found = file.first(file.candidates(named, environ, cwd=cwd, home=home), must_exist=named is not None)
    notes.file, notes.text = str(found.path or ""), found.text
    values.open(found.document)
    notes.is_strict = values.of(table.STRICT)
    if found.problem:
        notes.file_fault(found.problem, line=found.line)
    _note_unknown_keys(found.document, notes)
    _note_unknown_variables(environ, notes)
    return _settings(values, found, environ, home)


class _Values:
    """The value of each setting: the first that is said and right."""

    def __init__(self, arguments: Mapping[str, str], environ: Mapping[str, str], notes: Notes) -> None:
        self.notes = notes
        self._arguments = arguments
        self._environ = environ
        self._tables: dict[str, Table] = {}

    def open(self, document: Document) -> None:
        """Take a file into account."""
        self._tables[""] = Table(self.notes, (), document, loss=_NO_EFFECT, guards=False)
        attribution = document.get("attribution", {})
        if not isinstance(attribution, dict):
            expected = "a table headed [attribution]"
            self.notes.place(("attribution",), f"found {shown(attribution)}", loss=_NO_EFFECT, expected=expected)
            attribution = {}
        tags = cast("Document", attribution)
        self._tables["attribution"] = Table(self.notes, ("attribution",), tags, loss=_NO_EFFECT, guards=False)

    def of(self, setting: Setting[T]) -> T:
        # The file's value is looked at in any case: a fault in it is told even where another value wins.
        in_file = self._tables[setting.section].take(setting.name, setting.kind, None)
        said_elsewhere = self.said(setting)
        if said_elsewhere is not None:
            return said_elsewhere
        return setting.default if in_file is None else in_file

    def said(self, setting: Setting[T]) -> T | None:
        """Return what arguments or environment say."""
        for name, texts in ((setting.name, self._arguments), (setting.variable, self._environ)):
            text = texts.get(name, "").strip()
            if text:
                try:
                    return setting.kind.read(setting.kind.from_text(text))
                except ValueError:
                    problem = f"{said(text, setting.kind)}; {_NO_EFFECT}"
                    self.notes.variable(name, problem, setting.kind.expected)
        return None

    def attribution(self) -> dict[Dimension, str]:
        """Return what calls of this process are for."""
        tags: dict[Dimension, str] = {dimension: self.of(setting) for dimension, setting in table.ATTRIBUTION.items()}
        self._tables["attribution"].finish()
        return {dimension: value for dimension, value in tags.items() if value}


def _settings(values: _Values, found: file.File, environ: Mapping[str, str], home: Path) -> Settings:
    notes = values.notes
    state = file.user_folder(environ, "XDG_STATE_HOME", home / ".local" / "state")
    budgets = sections.budgets(found.document, notes)
    levels = frozenset(mark.level for marks in (DEFAULT_MARKS, *(each.marks for each in budgets)) for mark in marks)
    return Settings(
        store=values.of(table.STORE) or _default_store(state),
        store_token=_resolved(values.of(table.STORE_TOKEN), environ, notes),
        spans=values.of(table.SPANS),
        count=values.of(table.COUNT),
        summary=values.of(table.SUMMARY),
        strict=notes.is_strict,
        disabled=values.of(table.DISABLED),
        log_level=values.of(table.LOG_LEVEL),
        attribution=values.attribution(),
        budgets=budgets,
        channels=_channels(found.document, notes, environ, levels),
        prices=sections.prices(found.document, notes),
        fixed_costs=_fixed_costs(found.document, notes),
        anomalies=_anomalies(found.document, notes),
        problems=tuple(sorted(notes.problems, key=lambda each: each.line or 0)),
        notices=tuple(text for _, text in sorted(notes.notices)),
        refuse_all_reason=notes.refuse_all_reason,
        refreshed_prices=state / "prices.json",
        config_path=found.path,
    )


def _resolved(token: str, environ: Mapping[str, str], notes: Notes) -> str:
    """Look the token up in the environment where it is only named."""
    if not token.startswith(FROM_ENVIRONMENT):
        return token
    variable = token.removeprefix(FROM_ENVIRONMENT)
    found = environ.get(variable, "")
    if not found:
        problem, expected = f"the environment has no {variable}", f"a value in the variable {variable}"
        notes.place((table.STORE_TOKEN.key,), problem, loss=_NO_EFFECT, expected=expected)
    return found


def _channels(
    document: Document, notes: Notes, environ: Mapping[str, str], marks: frozenset[str]
) -> tuple[Channel, ...]:
    if "alert" not in document:
        return ()
    from otel_llmcost.config.channels import channels  # noqa: PLC0415 -- agents without any start without it

    return channels(document, notes, environ, marks)


def _fixed_costs(document: Document, notes: Notes) -> tuple[FixedCost, ...]:
    if "fixed_cost" not in document:
        return ()
    from otel_llmcost.config.fixed_costs import fixed_costs  # noqa: PLC0415 -- agents without any start without it

    return fixed_costs(document, notes)


def _anomalies(document: Document, notes: Notes) -> Anomalies | None:
    if "anomalies" not in document:
        return None
    from otel_llmcost.config.anomalies import anomalies  # noqa: PLC0415 -- agents without any start without it

    return anomalies(document, notes)


def _default_store(folder: Path) -> str:
    path = (folder / "ledger.db").as_posix().replace("%", "%25")
    return f"sqlite://{'' if path.startswith('/') else '/'}{path}"


def _note_unknown_keys(document: Document, notes: Notes) -> None:
    for key, value in document.items():
        if key not in _KEYS:
            # A section of another name may have been meant to hold budgets.
            guards = isinstance(value, (dict, list))
            problem = unknown("key", key, _KEYS)
            notes.place((key,), problem, loss=_NO_EFFECT, expected=listed(_KEYS), guards=guards)


def _note_unknown_variables(environ: Mapping[str, str], notes: Notes) -> None:
    for name in environ:
        if not name.startswith(table.PREFIX) or name.startswith(table.OF_COLLECTOR) or name in table.VARIABLES:
            continue
        if f"env:{name}" not in notes.text:
            notes.variable(name, f"{unknown('variable', name, table.VARIABLES)}; {_NO_EFFECT}")
