"""Every setting of the collector that is one value: key in `collector.toml`, variable, type, default and meaning."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, get_args

from otel_llmcost.config import kinds
from otel_llmcost.config.kinds import Kind, WrongValueError, one_of
from otel_llmcost.config.table import LogLevel, Setting

T_co = TypeVar("T_co", covariant=True)

PREFIX = "OTEL_LLMCOST_COLLECTOR_"

Place = tuple[str, int]
"""Host and port."""
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(\d{1,5})")
_MOST_PORT = 65535
_MOST_WORKERS = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Row(Setting[T_co]):
    """One value that may be set by argument, environment variable or file."""

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return PREFIX + self.key.replace(".", "_").upper()


def _place(value: object) -> Place | None:
    if value == "off":
        return None
    found = _PLACE.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[2]) > _MOST_PORT:
        raise WrongValueError(value)
    return found[1].strip("[]"), int(found[2])


def _number(most: int) -> Kind[int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise WrongValueError(value)
        return value

    return Kind(
        f"a whole number from 0 to {most:,}", read, from_text=lambda text: int(text) if text.isdecimal() else text
    )


def _url_of(*schemes: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        url = kinds.STORE_URL.read(value)
        if url.partition("://")[0] not in schemes:
            raise WrongValueError(value)
        return url

    return read


_LISTEN: Kind[Place | None] = Kind('HOST:PORT such as "127.0.0.1:4318", or "off"', _place)
_LEDGER = Kind(
    "a URL such as sqlite:///var/lib/llmcost/charges.db or postgresql://user@host/database",
    _url_of("sqlite", "postgresql", "postgres", "memory"),
    is_secret=True,  # a password may stand in it
)
_REDIS = tuple(f"redis{tls}{kind}" for tls in ("", "s") for kind in ("", "+sentinel", "+cluster"))
_BALANCES = Kind(
    "a URL such as sqlite:///var/lib/llmcost/balances.db or redis://host",
    _url_of("sqlite", "memory", *_REDIS),
    is_secret=True,
)
_LOG_LEVELS: Kind[LogLevel] = one_of(get_args(LogLevel))
_MIB = _number(1_048_576)
SETTINGS = Row(
    name="settings",
    kind=kinds.PATH,
    default="",
    default_text="`llmcost.toml` beside `collector.toml`, else where agents look for it",
    help="The file with budgets, limits, prices and alerts. It is read again when it changes.",
)
NODE = Row(
    name="node",
    kind=kinds.TEXT,
    default="",
    default_text="the host's name",
    help="Tells this collector from others on the same ledger; it must stay the same over restarts.",
)
WORKERS = Row(
    name="workers",
    kind=_number(_MOST_WORKERS),
    default=0,
    help="Processes that receive and price beside the one that keeps the books; 0: that one does it all.",
)
BALANCES = Row(
    name="balances",
    kind=_BALANCES,
    default="",
    default_text="`sqlite://~/.local/state/otel-llmcost/collector/balances.db`, written out in full",
    help="Where balances, stops and alerts are kept: `sqlite:///<path>`, or `redis://host` for several collectors.",
)
LOG_LEVEL: Row[LogLevel] = Row(
    name="log_level", kind=_LOG_LEVELS, default="info", help="What is logged, on standard error."
)
LEDGER_URL = Row(
    section="ledger",
    name="url",
    kind=_LEDGER,
    default="",
    default_text="`sqlite://~/.local/state/otel-llmcost/collector/charges.db`, written out in full",
    help="Where charges are kept: `sqlite:///<path>`, or `postgresql://…` for several collectors.",
)
LEDGER_KEEP = Row(
    section="ledger",
    name="keep",
    kind=kinds.DURATION,
    default=timedelta(days=400),
    default_text="`400d`",
    help="How long single charges are kept; sums by hour and day stay.",
)
RECEIVE_GRPC = Row(
    section="receive",
    name="grpc",
    kind=_LISTEN,
    default=("127.0.0.1", 4317),
    default_text="`127.0.0.1:4317`",
    help="Where OTLP over gRPC is received, or `off`.",
)
RECEIVE_HTTP = Row(
    section="receive",
    name="http",
    kind=_LISTEN,
    default=("127.0.0.1", 4318),
    default_text="`127.0.0.1:4318`",
    help="Where OTLP over HTTP is received, or `off`.",
)
RECEIVE_BODY = Row(
    section="receive", name="most_body_mib", kind=_MIB, default=16, help="Larger requests are refused, in MiB as sent."
)
RECEIVE_UNPACKED = Row(
    section="receive",
    name="most_unpacked_mib",
    kind=_MIB,
    default=64,
    help="Requests that unpack to more are refused, in MiB.",
)
RECEIVE_IN_FLIGHT = Row(
    section="receive",
    name="most_in_flight_mib",
    kind=_MIB,
    default=64,
    help="So much may be under way per process, in MiB; further requests are told to come again.",
)
API_LISTEN = Row(
    section="api",
    name="listen",
    kind=_LISTEN,
    default=("127.0.0.1", 4319),
    default_text="`127.0.0.1:4319`",
    help="Where agents whose store is this collector ask, and where `/healthz`, `/readyz` and `/metrics` are.",
)
METRICS_LISTEN = Row(
    section="metrics",
    name="listen",
    kind=_LISTEN,
    default=None,
    default_text="the address of the API",
    help="Where `/metrics` is served, if not with the API.",
)
METRICS_SERIES = Row(
    section="metrics",
    name="most_series",
    kind=_number(1_000_000),
    default=10_000,
    help="So many series per metric; what is beyond them is summed up in one.",
)
TOKENS = Row(
    section="access",
    name="tokens",
    kind=kinds.PATH,
    default="",
    default_text="none: only this machine is served",
    help="The file that says who may send, reserve and read.",
)
CERTIFICATE = Row(
    section="access",
    name="certificate",
    kind=kinds.PATH,
    default="",
    default_text="none: no TLS",
    help="The certificate, in PEM form, with those that vouch for it.",
)
KEY = Row(
    section="access",
    name="key",
    kind=kinds.PATH,
    default="",
    default_text="in the file of the certificate",
    help="The key of the certificate, in PEM form.",
)
CLIENT_CA = Row(
    section="access",
    name="client_ca",
    kind=kinds.PATH,
    default="",
    default_text="none: clients need no certificate",
    help="Who must have signed the certificates of clients (mTLS).",
)
BEHIND_PROXY = Row(
    section="access",
    name="behind_proxy",
    kind=kinds.SWITCH,
    default=False,
    help="Somebody in front speaks TLS, so a public address without a certificate is right.",
)
QUEUE_FOLDER = Row(
    section="queue",
    name="folder",
    kind=kinds.PATH,
    default="",
    default_text="`~/.local/state/otel-llmcost/collector/queue`",
    help="Where requests wait that a back end does not take now.",
)
QUEUE_MEMORY = Row(
    section="queue",
    name="memory_mib",
    kind=_MIB,
    default=32,
    help="Per back end and process, before the disk is used, in MiB.",
)
QUEUE_DISK = Row(
    section="queue",
    name="disk_mib",
    kind=_MIB,
    default=4096,
    help="Per back end and process, in MiB; when it is full, senders are told to come again.",
)

ROWS: tuple[Row[object], ...] = (
    SETTINGS,
    NODE,
    WORKERS,
    BALANCES,
    LOG_LEVEL,
    LEDGER_URL,
    LEDGER_KEEP,
    RECEIVE_GRPC,
    RECEIVE_HTTP,
    RECEIVE_BODY,
    RECEIVE_UNPACKED,
    RECEIVE_IN_FLIGHT,
    API_LISTEN,
    METRICS_LISTEN,
    METRICS_SERIES,
    TOKENS,
    CERTIFICATE,
    KEY,
    CLIENT_CA,
    BEHIND_PROXY,
    QUEUE_FOLDER,
    QUEUE_MEMORY,
    QUEUE_DISK,
)
SECTIONS = tuple(dict.fromkeys(row.section for row in ROWS if row.section))
