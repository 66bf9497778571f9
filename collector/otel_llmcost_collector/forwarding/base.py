"""Where received requests are handed on to, and what whoever receives them needs of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol, get_args

from otel_llmcost.errors import LLMCostError

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)
BackendProtocol = Literal["grpc", "http/protobuf", "http/json"]
Compression = Literal["gzip", "zstd", "none"]
_MIB = 1024 * 1024


class FullError(LLMCostError):
    """Nothing more can be taken now; sending the same again later is right."""

    def __init__(self, backend: str, why: str) -> None:
        self.backend = backend
        super().__init__(f"{backend}: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How the other side of a connection is known, and how it knows us; whether TLS is spoken the endpoint says."""

    ca: Path | None = None
    """Who vouches for the back end, in PEM form; None: whom this machine trusts."""
    certificate: Path | None = None
    """Ours, in PEM form with those that vouch for it; None: we show none."""
    key: Path | None = None
    """Of our certificate."""
    is_insecure: bool = False
    """A gRPC endpoint without a scheme is reached without TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How long to wait before a request that failed is sent again."""

    first_seconds: float = 0.5
    """After the first failure; doubled after each further one, and spread by chance."""
    most_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One OTLP back end, and what may wait for it."""

    name: str
    """Stands in logs and metrics, and is the name of its folder: letters, digits, `-`, `_` and `.`."""
    endpoint: str
    """For HTTP the base URL, to which `/v1/traces` and the like are added; for gRPC a URL or `host:port`."""
    protocol: BackendProtocol = "http/protobuf"
    compression: Compression = "none"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names and values; they may be secret, so they are never shown."""
    tls: Tls = field(default_factory=Tls)
    timeout_seconds: float = 10.0
    """For one sending, its answer included."""
    signals: frozenset[Signal] = frozenset(SIGNALS)
    retry: Retry = field(default_factory=Retry)
    in_flight: int = 8
    """Requests that are sent at the same time."""
    memory_bytes: int = 64 * _MIB
    disk: Path | None = None
    """A folder for what does not fit, or waits longer than a moment; None: accepted requests are in memory only."""
    disk_bytes: int = 4096 * _MIB
    syncs: bool = False
    """Accepted means on the platter: what waits on disk also survives the loss of power."""
    merge_bytes: int = 256 * 1024
    """Small requests that wait are sent as one, up to this size; 0: never."""
    is_optional: bool = False
    """When full, new requests are not sent to it (counted as dropped), rather than being refused to senders."""


class Forwarder(Protocol):
    """Hands requests on."""

    async def put(self, signal: Signal, content: bytes, is_json: bool = False) -> None:  # noqa: FBT001, FBT002 -- a seam
        """Return when a request is sent, or is where it waits to be: it goes out at least once.

        Args:
            signal: What the request tells of.
            content: An OTLP export request, not compressed.
            is_json: It is in OTLP's JSON form, not in protobuf's.

        Raises:
            FullError: It cannot be taken now.
        """
        ...

    async def close(self, drain_seconds: float) -> None:
        """Send what waits, for so long at most; the rest stays on disk."""
        ...

    def figures(self) -> None:
        """Put what waits into the counters; what happened is in them already."""
        ...


class Nowhere:
    """No back end: what is received ends here."""

    async def put(self, signal: Signal, content: bytes, is_json: bool = False) -> None:  # noqa: FBT001, FBT002 -- as above
        """Do nothing."""

    async def close(self, drain_seconds: float) -> None:
        """Do nothing."""

    def figures(self) -> None:
        """Have none."""
