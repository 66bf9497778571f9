"""TLS to back ends, and who each side takes the other for."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import pytest
import trustme

from otel_llmcost_collector import self_metrics
from otel_llmcost_collector.forwarding.base import Backend, Tls
from tests.collector.forwarding.servers import grpc_backend, http_backend
from tests.collector.forwarding.test_forwarder import FAST, forwarder, names, spans


@dataclass
class Authority:
    """Somebody who vouches for the server and for the collector."""

    tls: Tls
    """The collector's side."""
    server: ssl.SSLContext
    credentials: grpc.ServerCredentials


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    ca = trustme.CA()
    server, mine = ca.issue_cert("localhost"), ca.issue_cert("collector")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    mine.cert_chain_pems[0].write_to_path(tmp_path / "mine.pem")
    mine.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    chain = server.cert_chain_pems[0].bytes()
    credentials = grpc.ssl_server_credentials(
        [(server.private_key_pem.bytes(), chain)], ca.cert_pem.bytes(), require_client_auth=True
    )
    tls = Tls(ca=tmp_path / "ca.pem", certificate=tmp_path / "mine.pem", key=tmp_path / "key.pem")
    return Authority(tls, context, credentials)


on_http = partial(Backend, name="near", retry=FAST, compression="gzip")
on_grpc = partial(on_http, protocol="grpc")


async def test_a_backend_of_a_private_authority_is_reached_and_knows_us(authority: Authority) -> None:
    """Both certificates are asked for."""
    async with http_backend(context=authority.server) as backend:
        async with forwarder(on_http(endpoint=backend.url, tls=authority.tls)) as sent:
            await sent.put("traces", spans("a" * 100_000))

        assert names(backend.bodies) == ["a" * 100_000]


async def test_grpc_of_a_private_authority_is_reached_and_knows_us(authority: Authority) -> None:
    async with grpc_backend(credentials=authority.credentials) as backend:
        async with forwarder(on_grpc(endpoint=f"localhost:{backend.port}", tls=authority.tls)) as sent:
            await sent.put("traces", spans("a"))

        assert names([asked.body for asked in backend.asked]) == ["a"]


@pytest.mark.parametrize("tls", [Tls(), None], ids=["nobody vouches for it", "we show no certificate"])
async def test_nothing_is_sent_to_a_backend_that_is_not_trusted_or_does_not_trust_us(
    authority: Authority, tls: Tls | None
) -> None:
    """It waits: somebody has to mend that."""
    said = tls or Tls(ca=authority.tls.ca)
    async with (
        http_backend(context=authority.server) as backend,
        grpc_backend(credentials=authority.credentials) as other,
    ):
        backends = (
            on_http(endpoint=backend.url, tls=said),
            on_grpc(name="grpc", endpoint=f"localhost:{other.port}", tls=said, timeout_seconds=0.5),
        )
        async with forwarder(*backends, drain_seconds=1) as sent:
            await sent.put("traces", spans("a"))
            await sent.close(1)

            for name in ("near", "grpc"):
                assert sent.count(self_metrics.FORWARD_RETRIED, name) > 0
        assert backend.asked == other.asked == []
