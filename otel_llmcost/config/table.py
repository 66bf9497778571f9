"""Every setting that is one value: its variable, its key in the file, type, default and meaning, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, get_args

from otel_llmcost.config.kinds import PATH, SECRET, STORE_URL, SWITCH, TEXT, Kind, one_of
from otel_llmcost.core.attribution import SAID, Dimension

Spans = Literal["auto", "own", "enrich", "off"]
Count = Literal["estimate", "exact"]
LogLevel = Literal["debug", "info", "warning", "error"]
_SPANS: Kind[Spans] = one_of(get_args(Spans))
_COUNTS: Kind[Count] = one_of(get_args(Count))
_LOG_LEVELS: Kind[LogLevel] = one_of(get_args(LogLevel))

T_co = TypeVar("T_co", covariant=True)

PREFIX = "OTEL_LLMCOST_"
OF_COLLECTOR = "OTEL_LLMCOST_COLLECTOR_"
"""Before the variables of the collector, which are not for agents."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)  # each costs time at every agent's start
class Setting(Generic[T_co]):
    """One value that may be set by argument, environment variable or file."""

    name: str
    """As `Settings` and arguments call it."""
    kind: Kind[T_co]
    default: T_co
    help: str
    default_text: str = ""
    """Says what holds where the default is not one value for everybody."""
    section: str = ""
    """Table of the file that the key stands in; empty: at its top."""
    is_in_file: bool = True

    @property
    def key(self) -> str:
        """Dotted key in `llmcost.toml`; empty: it has none."""
        if not self.is_in_file:
            return ""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return PREFIX + self.name.upper()


CONFIG = Setting(
    name="config",
    is_in_file=False,
    kind=PATH,
    default="",
    default_text="`llmcost.toml` in the working directory, else in `~/.config/otel-llmcost/`",
    help="The file with budgets, alerts, prices and all other settings.",
)
STORE = Setting(
    name="store",
    kind=STORE_URL,
    default="",
    default_text="`sqlite://~/.local/state/otel-llmcost/ledger.db`, written out in full",
    help="Where ledger and balances are kept: `sqlite:///<path>`, shared by the agents of one machine, `memory://`, "
    "`redis://host:port` or `https://host:port`, for many machines.",
)
STORE_TOKEN = Setting(
    name="store_token",
    kind=SECRET,
    default="",
    help="Tells the server of a store `https://…` who asks; in the file better as `env:NAME`.",
)
SPANS: Setting[Spans] = Setting(
    name="spans",
    kind=_SPANS,
    default="auto",
    help="`own` spans, the cost on another instrumentation's (`enrich`), whichever fits (`auto`), or none (`off`).",
)
COUNT: Setting[Count] = Setting(
    name="count",
    kind=_COUNTS,
    default="estimate",
    help="Count input tokens before sending by a learned rule, or by tiktoken (300 ms and 72 MiB, once).",
)
SUMMARY = Setting(name="summary", kind=SWITCH, default=False, help="Print what the process cost when it ends.")
STRICT = Setting(
    name="strict",
    kind=SWITCH,
    default=False,
    help="Refuse every call while a budget cannot be read; else that budget is not enforced, and it is said.",
)
DISABLED = Setting(name="disabled", kind=SWITCH, default=False, help="Do nothing at all.")
LOG_LEVEL: Setting[LogLevel] = Setting(
    name="log_level",
    kind=_LOG_LEVELS,
    default="warning",
    help="What the logger `otel_llmcost` writes.",
)
ATTRIBUTION: dict[Dimension, Setting[str]] = {
    dimension: Setting(
        name=dimension,
        section="attribution",
        default="",
        kind=TEXT,
        help=f"The {dimension} that calls of this process are for, unless code or baggage names another.",
    )
    for dimension in SAID
}

SETTINGS: tuple[Setting[object], ...] = (
    CONFIG,
    STORE,
    STORE_TOKEN,
    SPANS,
    COUNT,
    SUMMARY,
    STRICT,
    DISABLED,
    LOG_LEVEL,
    *ATTRIBUTION.values(),
)
VARIABLES: tuple[str, ...] = tuple(setting.variable for setting in SETTINGS)
