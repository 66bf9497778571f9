"""Who may ask is told by a token, or, where none are asked for, by being on this machine."""

from __future__ import annotations

from hashlib import sha256

import pytest

from otel_llmcost_collector.access import DeniedError, admitted, check_host
from otel_llmcost_collector.tokens import ANYBODY, Token

INGEST = frozenset({"ingest"})
SENDER = Token(name="sender", sha256=sha256(b"geheim").hexdigest(), rights=INGEST)
AGENT = Token(name="agent", sha256=sha256(b"anders").hexdigest(), rights=frozenset({"agent"}))


def test_a_token_with_the_right_is_let_in() -> None:
    assert admitted([AGENT, SENDER], "Bearer geheim", INGEST) is SENDER


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        pytest.param("", 401, id="none"),
        pytest.param("Bearer falsch", 401, id="unknown"),
        pytest.param("Bearer anders", 403, id="without-the-right"),
    ],
)
def test_others_are_not(authorization: str, status: int) -> None:
    with pytest.raises(DeniedError) as denied:
        admitted([AGENT, SENDER], authorization, INGEST)

    assert denied.value.status == status


def test_where_no_tokens_are_asked_for_anybody_is_let_in() -> None:
    assert admitted([], "", INGEST) is ANYBODY


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:4318", "127.0.0.1:4318", "[::1]:4318", "[::1]"])
def test_names_of_this_machine_are_served(host: str) -> None:
    check_host(host)


@pytest.mark.parametrize("host", ["", "evil.example", "localhost.evil.example:4318"])
def test_a_name_that_a_page_was_led_here_by_is_not(host: str) -> None:
    with pytest.raises(DeniedError, match="only localhost"):
        check_host(host)
