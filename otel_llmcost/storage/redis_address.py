"""What a URL of Redis says: where the servers are, how they are reached, and what is kept there how long."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NoReturn, TypeVar
from urllib.parse import parse_qsl, unquote

from otel_llmcost.errors import ConfigError

T = TypeVar("T")
Kind = Literal["single", "sentinel", "cluster"]
EXPECTED: Mapping[Kind, str] = {
    "single": "redis://[user:password@]host[:port][/database][?option=value&...]",
    "sentinel": "redis+sentinel://[user:password@]host[:port][,host...]/name of the master[/database]",
    "cluster": "redis+cluster://[user:password@]host[:port][,host...]",
}
_PORTS: Mapping[Kind, int] = {"single": 6379, "sentinel": 26379, "cluster": 6379}
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
_KNOWN = (*_TLS_OPTIONS, "sentinel_password", "prefix", "timeout", "connections", "keep")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_PLACE = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]/@]+))(?::(?P<port>\d{1,5}))?")
_TRUE = frozenset({"1", "true", "yes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """All that a URL says."""

    kind: Kind
    hosts: tuple[tuple[str, int], ...]
    is_tls: bool = False
    username: str | None = None
    password: str | None = None
    sentinel_password: str | None = None
    master: str = ""
    """Name of the master that sentinels know."""
    database: int = 0
    tls: Mapping[str, str | bool]
    prefix: str = "llmcost"
    timeout_seconds: float = 0.25
    """How long a call of an agent waits for its reservation."""
    connections: int = 32
    """How many acts of one process are under way at once."""
    keep: timedelta = timedelta(days=35)
    """How long charges are kept whole."""


def parse(kind: Kind, rest: str, *, is_tls: bool) -> Address:
    """Read what stands behind `://`.

    Raises:
        ConfigError: it is no address of this kind; what it holds is not repeated, as a password may be in it.
    """
    where, _, query = rest.partition("?")
    who, _, where = where.rpartition("@")
    places, _, path = where.partition("/")
    username, has_password, password = who.partition(":")
    options = _options(kind, query)
    master, database = _path(kind, path)
    return Address(
        kind=kind,
        hosts=_hosts(kind, places),
        is_tls=is_tls,
        username=unquote(username) or None,
        password=unquote(password) if has_password else None,
        sentinel_password=options.pop("sentinel_password", None),
        master=master,
        database=database,
        tls={
            name: value.lower() in _TRUE if name == "ssl_check_hostname" else value
            for name in _TLS_OPTIONS
            if (value := options.pop(name, None)) is not None
        },
        prefix=_prefix(kind, options.pop("prefix", "llmcost")),
        timeout_seconds=_read(kind, _seconds, options, "timeout", "0.25"),
        connections=_read(kind, _count, options, "connections", "32"),
        keep=timedelta(seconds=_read(kind, _seconds, options, "keep", "35d")),
    )


def _options(kind: Kind, query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in _KNOWN:
            _wrong(kind, f"no option is called {name!r}; there are {', '.join(sorted(_KNOWN))}")
    return options


def _hosts(kind: Kind, places: str) -> tuple[tuple[str, int], ...]:
    found: list[tuple[str, int]] = []
    for place in places.split(","):
        match = _PLACE.fullmatch(place.strip())
        if match is None:
            _wrong(kind, "a host is missing or cannot be read")
        port = int(match["port"] or _PORTS[kind])
        if not 0 < port < 2**16:
            _wrong(kind, f"there is no port {port}")
        found.append((match["v6"] or match["name"], port))
    if kind == "single" and len(found) > 1:
        _wrong(kind, "several hosts are named")
    return tuple(found)


def _path(kind: Kind, path: str) -> tuple[str, int]:
    """Read the name of a master, and the number of a database."""
    master, _, database = path.rstrip("/").partition("/") if kind == "sentinel" else ("", "", path.rstrip("/"))
    if kind == "sentinel" and not master:
        _wrong(kind, "the name of the master is missing")
    if database and (kind == "cluster" or not re.fullmatch(r"\d{1,4}", database)):
        _wrong(kind, "there is no such database")
    return unquote(master), int(database or 0)


def _prefix(kind: Kind, text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", text):
        _wrong(kind, "prefix: letters, digits and . _ : - are expected")
    return text


def _read(kind: Kind, read: Callable[[str], T], options: dict[str, str], name: str, default: str) -> T:
    try:
        return read(options.pop(name, default))
    except ValueError as error:
        _wrong(kind, f"{name}: {error}")


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _SECONDS[match[2] or "s"] if match else 0.0
    if not 0 < seconds < 3_200_000_000:  # noqa: PLR2004 -- a century
        msg = "a time is expected, such as 0.5 or 250ms or 35d"
        raise ValueError(msg)
    return seconds


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,4}", text):
        msg = "a whole number from 1 to 99999 is expected"
        raise ValueError(msg)
    return int(text)


def _wrong(kind: Kind, problem: str) -> NoReturn:
    raise ConfigError(problem, key="store", expected=EXPECTED[kind])
