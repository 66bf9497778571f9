"""What every store must do with the decisions of people, and with duties that one process of all does."""

from dataclasses import replace
from datetime import timedelta

from otel_llmcost.core.acts import Act
from otel_llmcost.core.attribution import Scope
from otel_llmcost.storage.base import Posting
from tests.storage.books import NOW, USD, charge, new_id

HOUR = timedelta(hours=1)


def act(kind="stop", **facts) -> Act:
    known = {"act_id": new_id(NOW), "at": NOW, "by": "ann", "reason": "runs away", **facts}
    return Act(kind=kind, **known)


def test_an_act_comes_back_with_all_that_was_said_of_it(store):
    stop = act(scope=Scope({"agent": ("scraper", "crawl-*"), "team": ("ops",)}))
    more = act("raise", budget="b", subject="user=ü", amount_nano=5 * USD, until=NOW + HOUR, at=NOW + HOUR / 2)

    for each in (stop, more, stop):
        store.act(each)

    assert store.acts(NOW, NOW + HOUR) == [stop, more]
    assert store.acts(NOW + HOUR, NOW + HOUR * 2) == []


def test_stops_and_raises_hold_until_they_are_ended_or_over(store):
    stop, over, ended = act(), act("raise", until=NOW + HOUR, budget="b", amount_nano=1), act()
    note = act("reset", budget="b")
    for each in (stop, over, ended, note, act("resume", ends=ended.act_id)):
        store.act(each)

    assert {each.act_id for each in store.acts_in_force(NOW)} == {stop.act_id, over.act_id}
    assert store.acts_in_force(NOW + HOUR) == [stop]


def test_acts_in_force_come_oldest_first(store):
    later, first = act(at=NOW + HOUR), act()
    for each in (later, first, replace(later, kind="raise", act_id=new_id(NOW), at=NOW + HOUR * 2)):
        store.act(each)

    assert [each.at for each in store.acts_in_force(NOW)] == [NOW, NOW + HOUR, NOW + HOUR * 2]


def test_a_duty_is_one_holders_until_its_time_is_over(store):
    assert store.lead("watch", "one", NOW, NOW + HOUR)
    assert not store.lead("watch", "two", NOW + HOUR / 2, NOW + HOUR * 2)
    assert store.lead("watch", "one", NOW + HOUR / 2, NOW + HOUR)
    assert store.lead("watch", "two", NOW + HOUR, NOW + HOUR * 2)
    assert not store.lead("watch", "one", NOW + HOUR, NOW + HOUR * 2)
    assert store.lead("other", "one", NOW + HOUR, NOW + HOUR * 2)


def test_what_budgets_had_changed_in_a_request_is_in_the_ledger(store):
    made = charge(NOW, actions=("cap 500: b at half", "route a to b: b at half"))
    store.settle([Posting(reservation_id=made.charge_id, claims=(), charge=made, assumed={})])

    (found,) = store.charges(NOW, NOW + HOUR)
    assert found.actions == made.actions
