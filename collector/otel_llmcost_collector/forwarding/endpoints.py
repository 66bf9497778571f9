"""What a `Backend` says, looked at once at the start: where it is, and whether everything fits together."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from otel_llmcost.errors import ConfigError
from otel_llmcost_collector.forwarding.base import SIGNALS, Backend
from otel_llmcost_collector.forwarding.compressing import is_there

_GRPC_PORT = 4317
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_OURS = frozenset({"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a back end is."""

    host: str
    port: int
    is_tls: bool
    path: str
    """Before `/v1/…`; empty for gRPC."""

    @property
    def authority(self) -> str:
        """As a `host` header has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint(backend: Backend) -> Endpoint:
    """Read where a back end is.

    Raises:
        ConfigError: The endpoint or something else about the back end cannot be used.
    """
    _check(backend)
    if backend.protocol == "grpc":
        return _grpc(backend)
    split = _split(backend, backend.endpoint)
    if split.path.rstrip("/").endswith(tuple(f"/v1/{signal}" for signal in SIGNALS)):
        raise _reject(backend, "endpoint", "names one signal", "the base URL: /v1/traces and the like are added")
    path = split.path.rstrip("/")
    return _of(backend, split, path=path, port=443 if split.scheme == "https" else 80)


def tls_context(backend: Backend) -> ssl.SSLContext:
    """Make what TLS connections over HTTP are made with.

    Raises:
        ConfigError: A file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=backend.tls.ca)
        if backend.tls.certificate is not None:
            context.load_cert_chain(backend.tls.certificate, backend.tls.key)
    except (OSError, ssl.SSLError) as error:
        raise _reject(backend, "tls", f"cannot be used: {error}", "certificates and a key in PEM form") from error
    return context


def credentials(backend: Backend) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Read what TLS connections over gRPC are made with: authority, key, certificate.

    Raises:
        ConfigError: A file cannot be used.
    """
    tls_context(backend)  # gRPC itself tells of nothing that is wrong with them
    tls = backend.tls
    key = tls.key or tls.certificate
    return (
        None if tls.ca is None else tls.ca.read_bytes(),
        None if key is None else key.read_bytes(),
        None if tls.certificate is None else tls.certificate.read_bytes(),
    )


def _grpc(backend: Backend) -> Endpoint:
    if "://" in backend.endpoint:
        split = _split(backend, backend.endpoint)
    else:
        split = _split(backend, f"{'http' if backend.tls.is_insecure else 'https'}://{backend.endpoint}")
    if split.path.strip("/"):
        raise _reject(backend, "endpoint", "has a path", "a URL without one, or host:port")
    return _of(backend, split, path="", port=_GRPC_PORT)


def _split(backend: Backend, url: str) -> SplitResult:
    expected = "http://host:port or https://host:port"
    try:
        split = urlsplit(url)
        is_port_right = split.port is None or split.port > 0
    except ValueError as error:
        raise _reject(backend, "endpoint", f"cannot be read: {error}", expected) from error
    if split.scheme not in {"http", "https"} or not split.hostname or not is_port_right:
        raise _reject(backend, "endpoint", "is no address", expected)
    if split.username is not None or split.query or split.fragment:
        raise _reject(backend, "endpoint", "has more than an address and a path", "tokens among the headers")
    return split


def _of(backend: Backend, split: SplitResult, *, path: str, port: int) -> Endpoint:
    if not path.isprintable() or " " in path or not path.isascii():
        raise _reject(backend, "endpoint", "has a path that cannot be sent", "a URL in ASCII")
    return Endpoint(host=split.hostname or "", port=split.port or port, is_tls=split.scheme == "https", path=path)


def _check(backend: Backend) -> None:
    if not _NAME.fullmatch(backend.name):
        raise _reject(backend, "name", "cannot be the name of a folder", "letters, digits, `-`, `_` and `.`")
    if backend.protocol == "grpc" and backend.compression == "zstd":
        raise _reject(backend, "compression", "is not known to gRPC", "gzip or none")
    if not is_there(backend.compression):  # pragma: no cover -- the tests have it
        raise _reject(backend, "compression", "zstandard is missing", "the extra otel-llmcost[collector]")
    if backend.tls.key is not None and backend.tls.certificate is None:
        raise _reject(backend, "tls.key", "has no certificate", "tls.certificate beside it")
    for name, value in backend.headers:
        if not _HEADER.fullmatch(name) or name.lower() in _OURS or not _VALUE.fullmatch(value):
            raise _reject(backend, f"headers.{name}", "cannot be sent", "a name and a text of one line, in ASCII")


def _reject(backend: Backend, key: str, problem: str, expected: str) -> ConfigError:
    return ConfigError(problem, key=f"forward {backend.name!r}: {key}", expected=expected)
