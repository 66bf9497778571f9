"""What only Redis has to do: reckon exactly in scripts, forget in time, find out what was lost."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from otel_llmcost.core.acts import Act
from otel_llmcost.core.budget import BalanceKey, Budget, Refusal
from otel_llmcost.core.window import Rolling
from otel_llmcost.errors import StoreError, UnstorableError
from otel_llmcost.storage import open_store, redis_outbox
from otel_llmcost.storage.base import Posting, Store
from otel_llmcost.storage.redis_balances import Known
from otel_llmcost.storage.redis_calls import script
from tests.storage.books import LEASE, NOW, USD, Books, budget, channel, charge, new_id, unbilled
from tests.storage.redis_server import FakeRedisServer

BILLION = "1000000000"
DAY = timedelta(days=1)
OPS = [channel("ops", "warning", "critical", "exceeded")]


def ended(books: Books, cost_nano: int) -> Posting:
    """A call that cost so much."""
    hold = books.hold(0)
    return replace(books.posting(hold, 0), charge=replace(books.posting(hold, 0).charge, cost_nano=cost_nano))


@pytest.fixture(params=["redis", "redis+cluster"])
def store(request: pytest.FixtureRequest, redis_server: FakeRedisServer):
    made = open_store(f"{request.param}://{redis_server.place}?timeout=5&keep=2d")
    yield made
    made.close()


def test_a_limit_of_a_billion_holds_to_the_nano_dollar(store: Store) -> None:
    """Lua's numbers are exact up to nine million dollars only."""
    books = Books(store, [budget(limit=BILLION), budget("half", str(Decimal(BILLION) / 2), on_limit="alert")])
    first = books.reserve(999_999_999)
    books.store.settle([books.posting(first, 999_999_999)])
    books.reserve(0.999999998)

    refusal = store.reserve(books.hold(0.000000003))
    books.reserve(0.000000002)

    assert isinstance(refusal, Refusal)
    assert refusal.held_nano == 10**18 - 2
    assert books.balance().held_nano == 10**18
    assert books.balance("half").held_nano == 10**18


def test_what_is_carried_over_raises_marks_exactly_however_large(store: Store) -> None:
    """No double holds these numbers, let alone their product."""
    limit, more = 333_333_333_333_333_333, 100_000_000_000_000_007
    carrying = budget(limit=str(Decimal(limit) / USD), carry_over=Decimal(more) / USD, on_limit="alert")
    books = Books(store, [carrying])
    store.adopt(books.budgets, NOW - DAY)
    warning_nano = books.claims(0, {})[0].marks[0][1] * (limit + more) // limit

    fired = [
        [alert.level for alert in store.settle([ended(books, cost)])] for cost in (warning_nano - 1, 1, limit + more)
    ]

    assert fired == [[], ["warning"], ["critical", "exceeded"]]
    assert books.balance().limit_nano == limit + more


def test_who_did_not_see_a_budget_begin_finds_out_since_when_it_is_known(store: Store, redis_server) -> None:
    kind = "redis+cluster" if store._layout.is_split else "redis"
    books = Books(store, [budget(carry_over=Decimal(100))])
    store.adopt(books.budgets, NOW - DAY)
    other = open_store(f"{kind}://{redis_server.place}?timeout=5")

    assert other.reserve(books.hold(15)) is None

    assert books.balance().limit_nano == 20 * USD
    other.close()


def test_what_no_call_comes_to_is_not_stored(store: Store) -> None:
    books = Books(store, [budget(limit=BILLION)])

    with pytest.raises(UnstorableError, match="more than a store keeps"):
        store.reserve(books.hold(1_000_000_001))


@pytest.mark.parametrize("by", [(), ("agent",), ("hour", "status"), ("task",)], ids=str)
def test_charges_are_kept_whole_for_a_while_and_as_sums_for_long(store: Store, by) -> None:
    for hour in range(60):
        tags = {"agent": f"a-{hour % 3}", "task": "t"}
        status = "suspected" if hour % 2 else "confirmed"
        one = charge(NOW + timedelta(hours=hour), tags=tags, status=status, cost_nano=hour)
        store.settle([Posting(reservation_id=one.charge_id, claims=(), charge=one, assumed={})])
    everything = (NOW - DAY, NOW + 9 * DAY)
    before = {total.group: total for total in store.totals(by, *everything)}

    store.expire(NOW + 3 * DAY)
    after = {total.group: total for total in store.totals(by, *everything)}

    whole = [charge.at for charge in store.charges(*everything)]
    assert min(whole) == NOW + DAY
    if by == ("task",):
        assert {group: total.calls for group, total in after.items()} == {(None,): 24, ("t",): 36}
    else:
        assert after == before
    store.expire(NOW + 500 * DAY)
    assert store.totals(by, *everything) == []


def test_totals_of_a_time_within_hours_are_exact(store: Store) -> None:
    books = Books(store, [])
    for minute in range(0, 200, 7):
        books.now = NOW + timedelta(minutes=minute)
        books.spend(1)

    for since, until in ((3, 10), (3, 29), (31, 89), (20, 170), (30, 150), (0, 200)):
        (total,) = store.totals([], NOW + timedelta(minutes=since), NOW + timedelta(minutes=until))
        assert total.calls == len([minute for minute in range(0, 200, 7) if since <= minute < until])


def test_answers_that_stay_uncertain_are_forgotten_with_their_charges(store: Store) -> None:
    books = Books(store, [])
    books.spend(1, status="suspected", response_id="resp-1")
    assert store.uncertain("resp-1") is not None

    store.expire(NOW + 3 * DAY)

    assert store.uncertain("resp-1") is None
    assert store.unconfirmed(NOW - DAY, NOW + DAY) == []


def test_a_charge_that_cannot_be_read_is_told_as_ours(store: Store, redis_server) -> None:
    books = Books(store, [])
    books.spend(1)
    (key,) = redis_server.client.keys("*:charges")
    redis_server.client.hset(key, redis_server.client.hkeys(key)[0], "owner\n{}")

    with pytest.raises(StoreError, match="charge_id"):
        list(store.charges(NOW - DAY, NOW + DAY))


def test_a_charge_beyond_all_sense_is_not_stored_though_it_counts_on_no_budget(store: Store) -> None:
    """It would overflow the sums, and be tried again for ever."""
    one = charge(cost_nano=10**19)

    with pytest.raises(UnstorableError):
        store.settle([Posting(reservation_id=one.charge_id, claims=(), charge=one, assumed={})])


def test_stray_characters_in_the_id_of_an_answer_are_looked_for_as_they_were_kept(store: Store) -> None:
    one = charge(status="suspected", response_id="r-\udcf6")
    store.settle([Posting(reservation_id=one.charge_id, claims=(), charge=one, assumed={})])
    store.learn({"model-\udcf6": (1.0,)})

    found = store.uncertain("r-\udcf6")

    assert found is not None
    assert found.charge_id == one.charge_id


def test_who_finds_redis_emptied_says_so_and_counts_on(store: Store, redis_server, caplog) -> None:
    books = Books(store)
    store.act(Act(act_id=new_id(NOW), at=NOW, kind="stop", by="ann"))
    books.spend(1)
    assert len(store.acts_in_force(NOW)) == 1

    redis_server.client.flushall()
    with caplog.at_level(logging.ERROR, "otel_llmcost"):
        assert store.acts_in_force(NOW) == []
    books.spend(2)

    assert "has lost what it kept" in caplog.text
    assert books.balance().settled_nano == 2 * USD


def test_a_balance_that_was_lost_is_found_again_by_who_knew_it(store: Store, redis_server) -> None:
    books = Books(store)
    books.spend(1)

    redis_server.client.flushall()
    books.reserve(2)

    assert books.balance().reserved_nano == 2 * USD


def test_what_could_not_be_taken_in_all_slots_is_released_as_soon_as_they_answer(redis_server) -> None:
    store = open_store(f"redis+cluster://{redis_server.place}?timeout=5")
    books = Books(store, [budget("a"), budget("b")])
    books.reserve(1)
    b_key = store._layout.of_balance(books.claims(1, {})[1].key)[0].encode()
    redis_server.refuse = lambda words: "CLUSTERDOWN no" if b_key in words else None
    with pytest.raises(StoreError):
        store.reserve(books.hold(4))

    redis_server.refuse = lambda _words: None
    store.expire(NOW)

    assert [books.balance(name).reserved_nano for name in ("a", "b")] == [USD, USD]
    assert store.open_reservations() == 1
    store.close()


def test_a_call_renewed_while_it_is_given_up_is_held_on(redis_server) -> None:
    """In a cluster its balances and the register lie apart: the register has the last word."""
    store = open_store(f"redis+cluster://{redis_server.place}?timeout=5")
    books = Books(store)
    hold = books.reserve(4, exposure_usd=1)
    other = open_store(f"redis+cluster://{redis_server.place}?timeout=5")

    def renew_amid(words: list[bytes]) -> None:
        if script("move")[0].encode() in words and b'"open"' in words[-1]:
            redis_server.refuse = lambda _words: None
            other.renew([hold.reservation_id], NOW + 2 * LEASE)

    redis_server.refuse = renew_amid
    assert store.expire(NOW + LEASE) == 0

    balance = books.balance()
    assert (balance.reserved_nano, balance.exposure_nano, balance.suspected_nano) == (4 * USD, USD, 0)
    store.settle([unbilled(hold)])
    for each in (store, other):
        each.close()


def test_an_alert_that_waits_beside_its_balance_is_told_by_the_next(redis_server) -> None:
    """In a cluster the outbox lies in another slot: who dies before he has carried an alert there loses nothing."""
    store = open_store(f"redis+cluster://{redis_server.place}?timeout=5")
    books = Books(store)
    redis_server.refuse = lambda words: "CLUSTERDOWN no" if b"{llmcost:outbox}:next" in words else None
    with pytest.raises(StoreError):
        books.spend(8)
    redis_server.refuse = lambda _words: None

    books.spend(0.5)

    (delivery,) = store.claim_deliveries(OPS, NOW, lease=LEASE)
    assert (delivery.alert.level, delivery.alert.spent_nano) == ("warning", 8 * USD)
    store.close()


def test_who_changes_the_outbox_at_the_same_time_loses_nothing(store: Store, redis_server) -> None:
    books = Books(store)
    books.spend(8)
    is_first = [True]

    def acknowledge_amid(words: list[bytes]) -> None:
        if script("commit")[0].encode() in words and is_first and is_first.pop():
            (alert,) = store.alerts()
            assert store.acknowledge(alert.alert.alert_id, "ann", NOW)

    redis_server.refuse = acknowledge_amid
    delivered = store.claim_deliveries(OPS, NOW, lease=LEASE)

    (alert,) = store.alerts()
    assert (len(delivered), alert.acknowledged_by) == (1, "ann")


def test_an_outbox_that_never_comes_to_rest_is_told(store: Store, redis_server, monkeypatch) -> None:
    monkeypatch.setattr(redis_outbox, "_TRIES", 3)
    books = Books(store)
    books.spend(8)
    digest = script("commit")[0].encode()

    def push_amid(words: list[bytes]) -> None:
        if digest in words:
            redis_server.client.incr("{llmcost:outbox}:version")

    redis_server.refuse = push_amid

    with pytest.raises(StoreError, match="others change the outbox"):
        store.claim_deliveries(OPS, NOW, lease=LEASE)


def test_alerts_of_long_ago_are_forgotten_and_those_that_are_over_set_aside(store: Store, redis_server) -> None:
    books = Books(store)
    books.spend(8)
    (delivery,) = store.claim_deliveries(OPS, NOW, lease=LEASE)
    active = "{llmcost:outbox}:active"
    store.finish_delivery(replace(delivery, state="delivered"))
    assert redis_server.client.scard(active) == 1

    store.claim_deliveries(OPS, NOW + 2 * DAY, lease=LEASE)
    assert redis_server.client.scard(active) == 0
    assert len(store.alerts()) == 1
    store.expire(NOW + 401 * DAY)
    assert store.alerts() == []


def test_nothing_of_long_ago_stays_but_what_has_no_age(store: Store, redis_server) -> None:
    books = Books(store, [budget(per=("user",)), budget("rolls", "99", window=Rolling(timedelta(hours=1), "1h"))])
    for user in ("a", "b"):
        books.spend(8, {"user": user})
    books.reserve(1, {"user": "a"})
    store.expire(NOW + LEASE)

    for _ in range(3):
        store.expire(NOW + 500 * DAY)

    ageless = (
        "generation",
        "next",
        "version",
        "seen",
        "last-delivery",
        "first",
        "horizon",
        "expired",
        "opened",
        "carried",
    )
    left = [key for key in redis_server.client.keys("*") if not key.endswith((*ageless, ":booked"))]
    assert left == []


def test_a_call_that_is_under_way_keeps_its_balance(store: Store) -> None:
    books = Books(store)
    hold = books.reserve(1)
    store.renew([hold.reservation_id], NOW + 501 * DAY)

    store.expire(NOW + 500 * DAY)

    assert books.balance().reserved_nano == USD


def test_what_this_process_knows_stays_bounded() -> None:
    known = Known(most=3)

    for number in range(5):
        known.add([BalanceKey("b", f"u-{number}", 0)])

    assert [BalanceKey("b", f"u-{number}", 0) in known for number in range(5)] == [False, False, False, True, True]


def test_a_budget_that_counts_otherwise_sets_its_balances_to_what_the_ledger_says(store: Store) -> None:
    books = Books(store, [budget(per=("user",))])
    store.adopt(books.budgets, NOW)
    for cost, tags in ((3, {"user": "a", "agent": "x"}), (4, {"user": "b", "agent": "y"})):
        store.settle([books.posting(books.reserve(cost, tags), cost, tags=tags)])
    narrowed = Budget(name="all", limit=Decimal(10), window=books.budgets[0].window, per=("agent",))

    assert store.adopt([narrowed], NOW) == ["all"]
    assert store.adopt([narrowed], NOW, again=True) == []
    assert store.adopt([], NOW) == []

    balances = Books(store, [narrowed]).balances("all")
    spent = {balance.subject: balance.settled_nano for balance in balances if balance.settled_nano}
    assert spent == {"agent=x": 3 * USD, "agent=y": 4 * USD}


def test_nothing_asked_is_nothing_answered(store: Store) -> None:
    store.learn({})
    store.renew([], NOW)
    store.expire(NOW)

    assert (store.learned(), store.totals(["agent"], NOW, NOW)) == ({}, [])
