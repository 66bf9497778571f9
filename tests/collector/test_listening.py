"""No service is open to others without knowing who they are."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trustme

from otel_llmcost.errors import ConfigError
from otel_llmcost_collector.listening import Listen, Names, bind, check, listened, tls


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A certificate with its key in one file."""
    file = tmp_path / "server.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(file))
    return file


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_who_only_serves_this_machine_needs_nothing(host: str) -> None:
    check(Listen(host=host, port=1), has_tokens=False)


def test_a_public_address_takes_tokens_and_tls(server: Path) -> None:
    check(Listen(host="0.0.0.0", port=1, certificate=server), has_tokens=True)


def test_certificates_of_clients_tell_who_they_are_as_well_as_tokens(server: Path) -> None:
    check(Listen(host="0.0.0.0", port=1, certificate=server, client_ca=server), has_tokens=False)


def test_settings_are_named_as_the_user_knows_them() -> None:
    names = Names(tokens="access.tokens", certificate="access.certificate", behind_proxy="access.behind_proxy")

    with pytest.raises(ConfigError, match=r"^access\.tokens: "):
        check(Listen(host="10.0.0.1", port=1), has_tokens=False, names=names)
    with pytest.raises(ConfigError, match=r"^access\.certificate: .* or access\.behind_proxy if"):
        check(Listen(host="10.0.0.1", port=1), has_tokens=True, names=names)


def test_clients_are_asked_for_certificates_over_tls_only(server: Path) -> None:
    with pytest.raises(ConfigError, match="where the server has one"):
        check(Listen(host="127.0.0.1", port=1, client_ca=server), has_tokens=False)


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_a_file_that_holds_no_certificate_is_named_at_the_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "server.pem").write_text(content)

    with pytest.raises(ConfigError, match=r"server\.pem.*expected certificate and key"):
        check(Listen(host="127.0.0.1", port=1, certificate=tmp_path / "server.pem"), has_tokens=False)


def test_a_certificate_that_is_not_there_is_named_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.pem"):
        tls(Listen(host="127.0.0.1", port=1, certificate=tmp_path / "gone.pem"))


def test_an_address_that_is_taken_is_named(free: socket.socket) -> None:
    listen = Listen(host="127.0.0.1", port=free.getsockname()[1])

    with pytest.raises(ConfigError, match=rf"{listen.address}: .*expected a free address"):
        bind(listen)


def test_a_name_that_nobody_knows_is_named() -> None:
    with pytest.raises(ConfigError, match="no such host:1"):
        bind(Listen(host="no such host", port=1))


def test_processes_may_share_an_address() -> None:
    with bind(Listen(host="127.0.0.1", port=0), is_shared=True) as first:
        listen = Listen(host="127.0.0.1", port=first.getsockname()[1])
        with listened(listen, is_shared=True) as second:
            assert second.getsockname() == first.getsockname()


def test_an_address_is_written_as_in_a_url() -> None:
    assert (Listen(host="::1", port=4317).address, Listen(host="a", port=1).address) == ("[::1]:4317", "a:1")


@pytest.fixture
def free():
    with listened(Listen(host="127.0.0.1", port=0)) as place:
        yield place
