"""The budget API turns away what it should, does what is left once, and never falls over."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from otel_llmcost.errors import StoreError, UnstorableError
from otel_llmcost.storage import wire
from otel_llmcost.storage import wire_forms as forms
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector import asgi
from otel_llmcost_collector.store_api import ROUTES, Bounds, StoreApi
from otel_llmcost_collector.tokens import RIGHTS, Token
from tests.collector.asking import Said, aask, areceive, get, post
from tests.storage.books import NOW, USD, Books, budget

SOON = (NOW + timedelta(hours=1)).isoformat()
TOKENS = tuple(
    Token(name=right, sha256=sha256(right.encode()).hexdigest(), rights=frozenset({right})) for right in sorted(RIGHTS)
)


class Kept(MemoryStore):
    """Counts what it is asked, fails as it is told, and takes as long as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.error: Exception | None = None
        self.is_asked = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def reset(self, budget: str, subject: str | None = None) -> int:
        self.asked += 1
        self.is_asked.set()
        self.may_go_on.wait(10)
        if self.error is not None:
            raise self.error
        return super().reset(budget, subject)

    def totals(self, by: Any, since: Any, until: Any) -> list[Any]:
        self.is_asked.set()
        self.may_go_on.wait(10)
        return super().totals(by, since, until)

    def open_reservations(self) -> int:
        if self.error is not None:
            raise self.error
        return super().open_reservations()


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def api(kept: Kept) -> Iterator[StoreApi]:
    made = StoreApi(kept)
    yield made
    made.close()


@pytest.fixture
def guarded(kept: Kept) -> Iterator[StoreApi]:
    made = StoreApi(kept, tokens=TOKENS)
    yield made
    made.close()


def reset(api: StoreApi, name: str = "all", **headers: str) -> Said:
    return post(api, "/v1/reset", {"budget": name}, **headers)


@pytest.mark.parametrize("right", sorted(RIGHTS))
@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda part: part.rpartition("v1/")[2])
def test_each_right_opens_its_endpoints_and_no_others(guarded: StoreApi, method: str, path: str, right: str) -> None:
    said = asyncio.run(aask(guarded, method, path, b"[]", authorization=f"Bearer {right}"))

    may = right in ROUTES[method, path].rights
    assert said.status in ({200, 400} if may else {403})
    assert may or said.detail.startswith(f"the token '{right}' lacks the right")


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic agent", "agent", "Bearer agent agent"])
def test_without_a_known_token_nothing_is_said(guarded: StoreApi, authorization: str) -> None:
    said = get(guarded, "/v1/learned", authorization=authorization)

    assert (said.status, said.headers["www-authenticate"]) == (401, "Bearer")
    assert said.headers["content-type"] == "application/problem+json"


def test_an_answer_is_not_kept_by_anybody_in_between(api: StoreApi) -> None:
    said = reset(api)

    assert (said.status, said.json, said.headers["cache-control"]) == (200, {"count": 0}, "no-store")


@pytest.mark.parametrize("host", ["localhost", "localhost:4319", "127.0.0.1:4319", "[::1]:4319", "LOCALHOST:1"])
def test_without_tokens_this_machine_is_served(api: StoreApi, host: str) -> None:
    assert get(api, "/v1/learned", host=host).status == 200


@pytest.mark.parametrize("host", ["evil.example:4319", "", "10.0.0.1:4319", "localhost.evil.example"])
def test_without_tokens_a_page_that_names_this_machine_otherwise_is_not(api: StoreApi, host: str) -> None:
    """A browser on this machine can be made to ask us, but not under our own name."""
    assert get(api, "/v1/learned", host=host).status == 403


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_any_page_could_send_is_not_read(api: StoreApi, kind: str) -> None:
    assert reset(api, content_type=kind).status == 415


def test_what_is_not_there_is_said(api: StoreApi) -> None:
    assert get(api, "/v1/nothing").status == 404
    assert get(api, "/v1/reset").headers["allow"] == "POST"
    assert asyncio.run(aask(api, "DELETE", "/v1/learned", None)).headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"", "truncated", id="nothing"),
        pytest.param(b"{", "truncated", id="half"),
        pytest.param(b'{"budget": 5}', "Expected `str`, got `int` - at `$.budget`", id="another-type"),
        pytest.param(b"{}", "missing required field `budget`", id="a-field-is-missing"),
        pytest.param(b'{"more": ' + b"[" * 90_000 + b"]" * 90_000 + b"}", "recursion", id="too-deep"),
        pytest.param(b'{"budget": "\xff"}', "can't decode byte", id="no-utf-8"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(api: StoreApi, kept: Kept, body: bytes, problem: str) -> None:
    said = post(api, "/v1/reset", body)

    assert (said.status, kept.asked) == (400, 0)
    assert problem in said.detail


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        pytest.param("reset", {"budget": "b" * 9000}, "$.budget is longer", id="a-long-name"),
        pytest.param("expire", {"now": "2026-11-22T10:00:00"}, "$.now is no instant with a zone", id="no-zone"),
        pytest.param("expire", {"now": "9999-12-31T00:00:00Z"}, "$.now is no instant", id="the-end-of-time"),
        pytest.param("balances", {"budgets": [], "most": 2**63}, "$.most is out of range", id="a-great-number"),
        pytest.param("learned", {"learned": {"k" * 9000: [1.0]}}, "$.learned: the key kkk", id="a-long-key"),
        pytest.param("renew", {"reservation_ids": ["r", "r" * 9000], "expires_at": SOON}, "[1] is longer", id="a-list"),
    ],
)
def test_what_makes_no_sense_never_reaches_the_store(api: StoreApi, path: str, body: Any, problem: str) -> None:
    said = post(api, f"/v1/{path}", body)

    assert said.status == 422
    assert problem in said.detail


@pytest.mark.parametrize("field", ["amount_nano", "exposure_nano", "limit_nano"])
def test_a_claim_below_nothing_is_turned_away(api: StoreApi, kept: Kept, field: str) -> None:
    """It would make room where there is none."""
    body = json.loads(wire.encode(forms.Reserve(hold=Books(kept).hold(1))))
    body["hold"]["claims"][0][field] = -1

    said = post(api, "/v1/reserve", body)

    assert (said.status, said.detail) == (422, "$.hold.claims[0] has an amount below 0")


@pytest.mark.parametrize(
    ("window", "timezone", "problem"),
    [("fortnight", "UTC", "not a window"), ("day", "Mars/Olympus", "not an IANA time zone")],
)
def test_a_window_that_does_not_exist_is_said(api: StoreApi, window: str, timezone: str, problem: str) -> None:
    form = {"name": "all", "limit": 1, "window": window, "timezone": timezone}

    said = post(api, "/v1/adopt", {"budgets": [form], "now": SOON})

    assert (said.status, problem in said.detail) == (400, True)


@pytest.mark.parametrize("limit", ["1e400000", "1e-400000", '"NaN"', "-1e19"])
def test_a_limit_that_nobody_can_count_to_is_turned_away(api: StoreApi, limit: str) -> None:
    body = f'{{"budgets": [{{"name": "all", "limit": {limit}, "window": "day"}}], "now": "{SOON}"}}'

    said = post(api, "/v1/adopt", body.encode())

    assert (said.status, said.detail) == (422, "$.budgets[0].limit is out of range")


def test_an_amount_stays_exact() -> None:
    """0.1 is not a binary fraction."""
    form = wire.budget_form(budget(limit="0.1"))

    assert wire.budget_of(wire.decode(wire.encode(form), forms.BudgetForm)).limit_nano == USD // 10


@pytest.mark.parametrize("length", ["2000001", "many", "-1"])
def test_a_body_that_says_it_is_too_large_is_not_read(kept: Kept, length: str) -> None:
    api = StoreApi(kept, bounds=Bounds(body_bytes=2_000_000))

    assert reset(api, content_length=length).status == 413
    api.close()


def test_a_body_that_turns_out_to_be_too_large_is_not_read_on(kept: Kept) -> None:
    api = StoreApi(kept, bounds=Bounds(body_bytes=2_000))
    read: list[int] = []

    async def pieces() -> AsyncIterator[Any]:
        for number in range(100):
            read.append(number)
            yield {"type": "http.request", "body": b" " * 1000, "more_body": True}

    said = asyncio.run(areceive(api, "POST", "/v1/reset", pieces))

    assert (said.status, len(read)) == (413, 3)
    api.close()


def test_a_body_in_pieces_is_one(api: StoreApi) -> None:
    async def pieces() -> AsyncIterator[Any]:
        yield {"type": "http.request", "body": b'{"bud', "more_body": True}
        yield {"type": "http.request", "body": b'get":"b"}'}

    assert asyncio.run(areceive(api, "POST", "/v1/reset", pieces)).json == {"count": 0}


def test_a_body_that_never_comes_is_not_waited_for(api: StoreApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "BODY_SECONDS", 0.01)

    async def nothing() -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield {}

    assert asyncio.run(areceive(api, "POST", "/v1/reset", nothing)).status == 408


def test_whoever_leaves_is_not_answered(api: StoreApi, kept: Kept) -> None:
    async def leaving() -> AsyncIterator[Any]:
        yield {"type": "http.disconnect"}

    assert asyncio.run(areceive(api, "POST", "/v1/reset", leaving)).status == 0
    assert kept.asked == 0


def test_a_packed_body_is_not_unpacked(api: StoreApi) -> None:
    assert reset(api, content_encoding="gzip").status == 415


def test_who_comes_when_all_is_taken_is_told_to_come_again(kept: Kept) -> None:
    api = StoreApi(kept, bounds=Bounds(requests=1))

    async def both() -> tuple[Said, Said]:
        kept.may_go_on.clear()
        first = asyncio.ensure_future(aask(api, "POST", "/v1/reset", {"budget": "all"}))
        await asyncio.to_thread(kept.is_asked.wait, 10)
        second = await aask(api, "POST", "/v1/reset", {"budget": "all"})
        kept.may_go_on.set()
        return await first, second

    first, second = asyncio.run(both())

    assert (first.status, second.status, second.headers["retry-after"]) == (200, 503, "1")
    assert reset(api).status == 200
    api.close()


def test_no_call_waits_for_reports(api: StoreApi, kept: Kept) -> None:
    """A year of ledger takes longer than a call may wait."""
    kept.may_go_on.clear()
    year = {"by": ["agent"], "since": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}

    async def both() -> Said:
        reports = [asyncio.ensure_future(aask(api, "POST", "/v1/totals", year)) for _ in range(10)]
        await asyncio.to_thread(kept.is_asked.wait, 10)
        reserved = await aask(api, "GET", "/v1/learned", None)
        kept.may_go_on.set()
        await asyncio.gather(*reports)
        return reserved

    assert asyncio.run(both()).status == 200


def test_under_one_key_an_act_is_done_once(api: StoreApi, kept: Kept) -> None:
    async def both() -> list[Said]:
        asked = [aask(api, "POST", "/v1/reset", {"budget": "all"}, idempotency_key="k") for _ in range(2)]
        return [*await asyncio.gather(*asked), await aask(api, "POST", "/v1/reset", {"budget": "all"})]

    answers = asyncio.run(both())

    assert ([said.json for said in answers], kept.asked) == ([{"count": 0}] * 3, 2)


def test_a_key_is_of_one_token_one_endpoint_and_one_body(guarded: StoreApi, kept: Kept) -> None:
    """Nobody reads another's answer by guessing a key."""

    async def three() -> None:
        for name, right in (("all", "operator"), ("other", "operator"), ("all", "agent")):
            said = {"idempotency_key": "k", "authorization": f"Bearer {right}"}
            await aask(guarded, "POST", "/v1/reset", {"budget": name}, **said)

    asyncio.run(three())

    assert kept.asked == 2


def test_what_failed_may_be_tried_again_under_its_key(api: StoreApi, kept: Kept) -> None:
    async def twice() -> list[int]:
        kept.error = StoreError("locked")
        first = await aask(api, "POST", "/v1/reset", {"budget": "all"}, idempotency_key="k")
        kept.error = None
        return [first.status, (await aask(api, "POST", "/v1/reset", {"budget": "all"}, idempotency_key="k")).status]

    assert asyncio.run(twice()) == [503, 200]


def test_answers_are_not_remembered_for_ever(api: StoreApi, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_llmcost_collector.store_api._KEPT_ANSWERS", 2)

    async def many() -> None:
        for key in ("a", "b", "c", "a"):
            await aask(api, "POST", "/v1/reset", {"budget": "all"}, idempotency_key=key)

    asyncio.run(many())

    assert kept.asked == 4


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(StoreError("geheim is locked"), 503, id="the-store-fails"),
        pytest.param(UnstorableError("geheim"), 422, id="it-cannot-be-kept"),
        pytest.param(KeyError("all"), 500, id="a-fault-of-ours"),
    ],
)
def test_what_goes_wrong_is_answered_and_what_was_asked_is_not_logged(
    api: StoreApi, kept: Kept, caplog: pytest.LogCaptureFixture, error: Exception, status: int
) -> None:
    kept.error = error

    said = reset(api, "a budget that nobody is to know")

    assert said.status == status
    assert "geheim" not in said.detail
    assert "nobody is to know" not in caplog.text
    assert (status == 422) == (not caplog.records)


def test_it_is_alive_whatever_the_store_is_and_ready_when_that_is(guarded: StoreApi, kept: Kept) -> None:
    ready = get(guarded, "/readyz")
    kept.error = StoreError("gone")

    assert (ready.json, get(guarded, "/readyz").status, get(guarded, "/healthz").json) == (
        {"status": "ready"},
        503,
        {"status": "ok"},
    )


def test_a_collector_is_not_ready_while_its_ledger_cannot_be_used(kept: Kept) -> None:
    def away() -> None:
        raise StoreError("the ledger is gone")

    api = StoreApi(kept, ready=away)

    assert (get(api, "/readyz").status, get(api, "/healthz").status) == (503, 200)


def test_the_budgets_for_all_are_told_and_told_again_only_when_they_changed(kept: Kept) -> None:
    sections: dict[str, object] = {"budget": [{"name": "all", "limit": 1}]}
    api = StoreApi(kept, tokens=TOKENS, budgets=lambda: sections)

    first = get(api, "/v1/config", authorization="Bearer agent")
    same = get(api, "/v1/config", authorization="Bearer agent", if_none_match=first.headers["etag"])
    sections["limit"] = []
    changed = get(api, "/v1/config", authorization="Bearer agent", if_none_match=first.headers["etag"])

    assert (first.json, same.status, same.content) == ({"budget": [{"name": "all", "limit": 1}]}, 304, b"")
    assert (changed.status, get(api, "/v1/config").status) == (200, 401)
    api.close()


def test_the_time_is_the_servers_where_it_has_a_clock(kept: Kept) -> None:
    """One agent whose clock is an hour ahead would give up the calls of all others."""
    api = StoreApi(kept, clock=lambda: NOW)
    Books(kept).reserve(1)

    said = post(api, "/v1/expire", {"now": SOON})

    assert (said.json, kept.open_reservations()) == ({"count": 0}, 1)
    api.close()


def test_a_duty_is_held_as_long_as_was_asked_by_the_servers_clock(kept: Kept) -> None:
    api = StoreApi(kept, clock=lambda: NOW)
    until = (NOW + timedelta(hours=1, minutes=1)).isoformat()

    assert post(api, "/v1/lead", {"duty": "pace", "holder": "a", "now": SOON, "until": until}).json == {"leads": True}

    assert not kept.lead("pace", "b", NOW + timedelta(seconds=59), NOW + timedelta(hours=9))
    assert kept.lead("pace", "b", NOW + timedelta(seconds=61), NOW + timedelta(hours=9))
    api.close()


def test_a_duty_that_ends_before_it_begins_is_none(kept: Kept) -> None:
    """Found by fuzzing: from the year 8857 back to ours is longer than any instant is away from now."""
    api = StoreApi(kept, clock=lambda: NOW)
    asked = {"duty": "pace", "holder": "a", "now": "8857-12-31T21:03:07Z", "until": "1999-02-01T00:01:00Z"}

    assert post(api, "/v1/lead", asked).status == 200

    claimed = {"channels": [], "now": SOON, "lease": "-P999999999D"}
    assert post(api, "/v1/outbox/claim", claimed).status == 200
    api.close()


def test_what_is_not_http_is_passed_over(api: StoreApi) -> None:
    asyncio.run(api({"type": "websocket"}, None, None))  # a server closes it then


def test_it_lives_as_long_as_its_server(api: StoreApi) -> None:
    said: list[str] = []

    async def send(message: Any) -> None:
        said.append(message["type"])

    async def coming() -> AsyncIterator[Any]:
        yield {"type": "lifespan.startup"}
        yield {"type": "lifespan.shutdown"}

    asyncio.run(api({"type": "lifespan"}, coming().__anext__, send))

    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_the_log_names_the_stores_own_fault(api: StoreApi, kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    kept.error = StoreError("the disk is full")

    with caplog.at_level(logging.WARNING, "otel_llmcost_collector"):
        reset(api)

    assert "the store failed: the disk is full" in caplog.text
