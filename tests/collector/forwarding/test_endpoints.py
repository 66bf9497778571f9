"""What a back end's settings say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from otel_llmcost.errors import ConfigError
from otel_llmcost_collector.forwarding.base import Backend, Tls
from otel_llmcost_collector.forwarding.endpoints import Endpoint, credentials, endpoint, tls_context

PLAIN = Backend(name="tempo", endpoint="http://tempo:4318")
GRPC = replace(PLAIN, protocol="grpc", endpoint="tempo:4317")


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        pytest.param(PLAIN, Endpoint(host="tempo", port=4318, is_tls=False, path=""), id="http"),
        pytest.param(
            replace(PLAIN, endpoint="https://api.example.com/otlp/"),
            Endpoint(host="api.example.com", port=443, is_tls=True, path="/otlp"),
            id="https with a path",
        ),
        pytest.param(
            replace(PLAIN, endpoint="http://[::1]"), Endpoint(host="::1", port=80, is_tls=False, path=""), id="IPv6"
        ),
        pytest.param(GRPC, Endpoint(host="tempo", port=4317, is_tls=True, path=""), id="gRPC speaks TLS unless told"),
        pytest.param(
            replace(GRPC, tls=Tls(is_insecure=True)),
            Endpoint(host="tempo", port=4317, is_tls=False, path=""),
            id="gRPC without TLS",
        ),
        pytest.param(
            replace(GRPC, endpoint="http://tempo", tls=Tls()),
            Endpoint(host="tempo", port=4317, is_tls=False, path=""),
            id="a scheme decides, and gRPC has a usual port",
        ),
    ],
)
def test_an_endpoint_is_read_as_exporters_read_theirs(backend: Backend, expected: Endpoint) -> None:
    assert endpoint(backend) == expected


def test_an_address_of_ipv6_is_written_in_brackets() -> None:
    """Else its port is not to be told from it."""
    assert endpoint(replace(PLAIN, endpoint="http://[::1]:4318")).authority == "[::1]:4318"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"endpoint": "tempo:4318"}, "is no address"),
        ({"endpoint": "ftp://tempo"}, "is no address"),
        ({"endpoint": "http://"}, "is no address"),
        ({"endpoint": "http://tempo:0"}, "is no address"),
        ({"endpoint": "http://tempo:99999"}, "cannot be read"),
        ({"endpoint": "http://[tempo"}, "cannot be read"),
        ({"endpoint": "http://u:secret@tempo"}, "more than an address"),
        ({"endpoint": "http://tempo?key=secret"}, "more than an address"),
        ({"endpoint": "http://tempo/v1/traces"}, "names one signal"),
        ({"endpoint": "http://tempo/a b"}, "cannot be sent"),
        ({"endpoint": "http://tempo/x", "protocol": "grpc"}, "has a path"),
        ({"name": "../tempo"}, "folder"),
        ({"name": ""}, "folder"),
        ({"protocol": "grpc", "compression": "zstd"}, "not known to gRPC"),
        ({"tls": Tls(key=Path("key.pem"))}, "no certificate"),
        ({"headers": (("x", "secret\r\ny: 1"),)}, "headers.x: cannot be sent"),
        ({"headers": (("x y", "secret"),)}, "cannot be sent"),
        ({"headers": (("Content-Length", "secret"),)}, "cannot be sent"),
    ],
)
def test_what_cannot_be_used_is_told_by_name_and_without_secrets(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        endpoint(replace(PLAIN, **changed))

    assert "secret" not in str(error.value)


def test_headers_are_not_shown() -> None:
    """They hold tokens."""
    assert "secret" not in repr(replace(PLAIN, headers=(("authorization", "secret"),)))


@pytest.mark.parametrize("read", [tls_context, credentials])
def test_files_of_tls_that_cannot_be_used_are_told(read, tmp_path: Path) -> None:
    """gRPC itself would go on without a word, and never connect."""
    (tmp_path / "ca.pem").write_text("no certificate")

    for tls in (Tls(ca=tmp_path / "missing.pem"), Tls(ca=tmp_path / "ca.pem"), Tls(certificate=tmp_path / "ca.pem")):
        with pytest.raises(ConfigError, match="tls"):
            read(replace(PLAIN, tls=tls))


def test_files_of_tls_are_read_for_grpc(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    mine = ca.issue_cert("collector")
    mine.private_key_and_cert_chain_pem.write_to_path(tmp_path / "mine.pem")

    found = credentials(replace(PLAIN, tls=Tls(ca=tmp_path / "ca.pem", certificate=tmp_path / "mine.pem")))

    both = (tmp_path / "mine.pem").read_bytes()
    assert found == ((tmp_path / "ca.pem").read_bytes(), both, both)
    assert credentials(PLAIN) == (None, None, None)
