from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
import trustme

from tests.alerting.receiver import Receiver

HOSTS = ("hooks.slack.com", "events.pagerduty.com", "prod-1.logic.azure.com")
"""Whom the secure receiver can stand for, behind a tunnel."""


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a proxy of the machine that runs the tests out of them."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure_receiver(authority: trustme.CA) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", *HOSTS).configure_cert(context)
    secure = Receiver()
    secure.server.socket = context.wrap_socket(secure.server.socket, server_side=True)
    with secure:
        yield secure
