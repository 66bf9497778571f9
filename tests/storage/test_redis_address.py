"""What a URL of Redis says, and how a wrong one is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otel_llmcost.errors import ConfigError
from otel_llmcost.storage import open_store
from otel_llmcost.storage.redis_address import Address, parse


def test_a_host_alone_is_enough() -> None:
    found = parse("single", "localhost", is_tls=False)

    assert found == Address(kind="single", hosts=(("localhost", 6379),), tls={})
    assert (found.prefix, found.timeout_seconds, found.connections, found.keep) == (
        "llmcost",
        0.25,
        32,
        timedelta(days=35),
    )


def test_everything_can_be_said() -> None:
    found = parse(
        "single",
        "us%40er:p%2Fw%3A@[::1]:7000/3?prefix=team:a&timeout=50ms&connections=8&keep=12h&ssl_ca_certs=/etc/ca.pem"
        "&ssl_check_hostname=no",
        is_tls=True,
    )

    assert found == Address(
        kind="single",
        hosts=(("::1", 7000),),
        is_tls=True,
        username="us@er",
        password="p/w:",
        database=3,
        tls={"ssl_ca_certs": "/etc/ca.pem", "ssl_check_hostname": False},
        prefix="team:a",
        timeout_seconds=0.05,
        connections=8,
        keep=timedelta(hours=12),
    )


def test_sentinels_know_a_master_by_its_name() -> None:
    found = parse("sentinel", ":geheim@a,b:26380/my%20master/2?sentinel_password=other", is_tls=False)

    assert (found.hosts, found.master, found.database) == ((("a", 26379), ("b", 26380)), "my master", 2)
    assert (found.username, found.password, found.sentinel_password) == (None, "geheim", "other")


def test_a_cluster_is_named_by_some_of_its_nodes() -> None:
    assert parse("cluster", "a:7000,b", is_tls=False).hosts == (("a", 7000), ("b", 6379))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param("redis://", "a host is missing", id="no-host"),
        pytest.param("redis://a,b", "several hosts", id="hosts-of-one-server"),
        pytest.param("redis://a:b", "cannot be read", id="no-number-for-a-port"),
        pytest.param("redis://a:70000", "there is no port 70000", id="no-such-port"),
        pytest.param("redis://a/x", "no such database", id="no-number-for-a-database"),
        pytest.param("redis+cluster://a/1", "no such database", id="clusters-have-one-database"),
        pytest.param("redis+sentinel://a", "the name of the master is missing", id="no-master"),
        pytest.param("redis://a?prefx=b", "no option is called 'prefx'", id="misspelt"),
        pytest.param("redis://a?prefix={b}", "prefix: letters", id="braces-would-put-all-into-one-slot"),
        pytest.param("redis://a?timeout=soon", "timeout: a time is expected", id="no-time"),
        pytest.param("redis://a?timeout=0", "timeout: a time is expected", id="no-time-at-all"),
        pytest.param("rediss://a?connections=0", "connections: a whole number", id="no-connections"),
        pytest.param("rediss+cluster://a?keep=-1d", "keep: a time is expected", id="before-now"),
        pytest.param("rediss+sentinel://a", "the name of the master is missing", id="no-master-with-tls"),
    ],
)
def test_what_cannot_be_used_is_said(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        open_store(url)

    assert caught.value.key == "store"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_llmcost.storage.redis.find_spec", lambda _name: None)

    with pytest.raises(ConfigError, match=r"otel-llmcost\[redis\]"):
        open_store("redis://localhost")
