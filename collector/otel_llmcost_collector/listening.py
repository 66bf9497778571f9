"""Where a service listens, how it proves who it is, and when it must not listen at all."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from otel_llmcost.errors import ConfigError

_BACKLOG = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where to listen, and how."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    """None: it stands in the file of the certificate."""
    client_ca: Path | None = None
    """Who must have signed the certificates of clients; None: they need none."""
    is_behind_proxy: bool = False

    @property
    def address(self) -> str:
        """Host and port, as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def url(self, port: int) -> str:
        """Say where it is listened, on the port that was taken where any would do."""
        return f"http{'' if self.certificate is None else 's'}://{replace(self, port=port).address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What whoever runs the service calls its settings."""

    listen: str = "--listen"
    tokens: str = "--tokens"
    certificate: str = "--certificate"
    behind_proxy: str = "--behind-proxy"


def check(listen: Listen, *, has_tokens: bool, names: Names | None = None) -> None:
    """Refuse to be open to others without knowing who they are: by their tokens, or by their certificates.

    Raises:
        ConfigError: it would be, or a certificate cannot be used.
    """
    names = names or Names()
    if listen.certificate is not None:
        tls(listen, names)
    elif listen.client_ca is not None:
        problem = "clients can only show a certificate where the server has one"
        raise ConfigError(problem, key=names.certificate, expected="a certificate")
    if is_loopback(listen.host):
        return
    if not has_tokens and listen.client_ca is None:
        problem = f"{listen.host} can be reached by others, and without tokens everybody may do everything"
        raise ConfigError(problem, key=names.tokens, expected="a file with tokens, or a loopback address")
    if listen.certificate is None and not listen.is_behind_proxy:
        problem = f"{listen.host} can be reached by others, and without TLS everybody may read the tokens"
        expected = f"a certificate, or {names.behind_proxy} if that speaks TLS"
        raise ConfigError(problem, key=names.certificate, expected=expected)


def tls(listen: Listen, names: Names | None = None) -> ssl.SSLContext:
    """Read certificate, key and who must have signed clients' certificates.

    Raises:
        ConfigError: one of them cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = (names or Names()).certificate
    try:
        context.load_cert_chain(listen.certificate or "", listen.key)
        if listen.client_ca is not None:
            context.load_verify_locations(listen.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # of which ssl.SSLError is one
        files = ", ".join(str(each) for each in (listen.certificate, listen.key, listen.client_ca) if each is not None)
        raise ConfigError(f"{files}: {error}", key=key, expected="certificate and key in PEM form") from error
    return context


def bind(listen: Listen, *, is_shared: bool = False, names: Names | None = None) -> socket.socket:
    """Take an address; connections come in once it is listened on.

    Args:
        listen: where; with port 0 on any that is free.
        is_shared: other processes that say so too may take the same, and connections are spread over them.
        names: of the settings.

    Raises:
        ConfigError: it is taken, or not of this machine.
    """
    place = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)[0]
        place = socket.socket(family, kind, protocol)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Connections inherit it. asyncio sets it only where it made the socket; without, each answer takes 40 ms.
        place.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        place.bind(address)
    except OSError as error:
        if place is not None:
            place.close()
        raise not_free(listen, error, names) from error
    return place


def listened(listen: Listen, *, is_shared: bool = False, names: Names | None = None) -> socket.socket:
    """Take an address and let connections in."""
    place = bind(listen, is_shared=is_shared, names=names)
    place.listen(_BACKLOG)
    return place


def not_free(listen: Listen, error: Exception, names: Names | None = None) -> ConfigError:
    """Say that an address is taken, or not of this machine."""
    key = (names or Names()).listen
    return ConfigError(f"{listen.address}: {error}", key=key, expected="a free address of this machine")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address; of a name nobody knows."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
