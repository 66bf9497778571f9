"""Where requests are handed on to, as `collector.toml` says it: the tables headed `[[forward]]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import cast, get_args
from urllib.parse import urlsplit

from otel_llmcost.config import kinds
from otel_llmcost.config.kinds import FROM_ENVIRONMENT, Kind, WrongValueError, one_of, part
from otel_llmcost.config.reader import Notes, Table, rows
from otel_llmcost_collector.forwarding.base import SIGNALS, Backend, BackendProtocol, Compression, Signal, Tls

SECTION = "forward"
_LOSS = "the collector does not start"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLACE = re.compile(r"(?:https?://)?(?:\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+)(?::\d{1,5})?(?:/\S*)?")
_TIMEOUT = timedelta(seconds=10)
_COMPRESSIONS: Kind[Compression] = one_of(get_args(Compression))
_PROTOCOLS: Kind[BackendProtocol] = one_of(get_args(BackendProtocol))


def _matching(pattern: re.Pattern[str], expected: str) -> Kind[str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise WrongValueError(value)
        return value

    return Kind(expected, read)


def _signals(value: object) -> frozenset[Signal]:
    found = value
    named = cast("list[object]", found) if isinstance(found, list) else []
    if not named or any(each not in SIGNALS for each in named):
        raise WrongValueError(value)
    return frozenset(cast("list[Signal]", named))


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    found = kinds.table(value)
    return tuple((part(name, _header_name, name), part(name, kinds.TEXT.read, text)) for name, text in found.items())


def _header_name(value: object) -> str:
    if not _HEADER.fullmatch(str(value)):
        raise WrongValueError(value, problem="is no name of a header")
    return str(value).lower()


_NAMES = _matching(_NAME, "a name of letters, digits, `-`, `_` and `.`")
_ENDPOINTS = _matching(_PLACE, 'a URL such as "https://tempo:4318", or host:port for gRPC')
_SIGNALS = Kind('a list of "traces", "metrics" and "logs"', _signals)
_HEADERS = Kind('a table such as { authorization = "env:TEMPO_TOKEN" }', _headers, is_secret=True)


def backends(
    document: Mapping[str, object], notes: Notes, environ: Mapping[str, str], base: Path
) -> tuple[Backend, ...]:
    """Read `[[forward]]`; what cannot be read is noted and left out.

    Args:
        document: the file.
        notes: where faults are noted.
        environ: where values of headers that say `env:NAME` are looked up.
        base: the folder that relative paths start from.
    """
    found: dict[str, Backend] = {}
    for row in rows(notes, document, SECTION, loss=_LOSS):
        backend = _backend(row, environ, base)
        if backend is not None and backend.name in found:
            row.fault(("name",), f'"{backend.name}" is taken', "a name of its own for each back end")
        elif backend is not None:
            found[backend.name] = backend
    return tuple(found.values())


def _backend(row: Table, environ: Mapping[str, str], base: Path) -> Backend | None:
    name, endpoint = row.require("name", _NAMES), row.require("endpoint", _ENDPOINTS)
    protocol: BackendProtocol = row.choose("protocol", _PROTOCOLS, "http/protobuf")
    compression: Compression = row.choose("compression", _COMPRESSIONS, "gzip")
    headers = _resolved(row, row.choose("headers", _HEADERS, ()), environ)
    timeout = row.choose("timeout", kinds.DURATION, _TIMEOUT)
    signals = row.choose("signals", _SIGNALS, frozenset(SIGNALS))
    tls = _tls(row, base)
    is_optional, syncs = (
        row.choose("optional", kinds.SWITCH, default=False),
        row.choose("sync", kinds.SWITCH, default=False),
    )
    if endpoint is not None and protocol != "grpc" and urlsplit(endpoint).scheme not in {"http", "https"}:
        row.fault(("endpoint",), f'"{endpoint}" is no URL', 'a URL such as "http://tempo:4318" for HTTP')
    if not row.finish() or name is None or endpoint is None:
        return None
    return Backend(
        name=name,
        endpoint=endpoint,
        protocol=protocol,
        compression=compression,
        headers=headers,
        tls=tls,
        timeout_seconds=timeout.total_seconds(),
        signals=signals,
        is_optional=is_optional,
        syncs=syncs,
    )


def _tls(row: Table, base: Path) -> Tls:
    paths = {key: row.choose(key, kinds.PATH, "") for key in ("ca", "certificate", "key")}
    found = {key: base / text for key, text in paths.items() if text}
    if "key" in found and "certificate" not in found:
        row.fault(("key",), "stands alone", "the certificate that it is of")
    return Tls(
        ca=found.get("ca"),
        certificate=found.get("certificate"),
        key=found.get("key"),
        is_insecure=row.choose("insecure", kinds.SWITCH, default=False),
    )


def _resolved(
    row: Table, headers: tuple[tuple[str, str], ...], environ: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Look values up in the environment where they are only named."""
    resolved: list[tuple[str, str]] = []
    for name, value in headers:
        variable = value.removeprefix(FROM_ENVIRONMENT)
        if variable == value:
            resolved.append((name, value))
        elif variable in environ:
            resolved.append((name, environ[variable]))
        else:
            row.fault(("headers", name), f"the environment has no {variable}", f"a value in the variable {variable}")
    return tuple(resolved)
