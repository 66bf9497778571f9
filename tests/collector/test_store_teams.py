"""A token that is bound to a team does nothing to other teams and sees nothing of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from otel_llmcost.core.attribution import Scope, subject_of
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.core.ledger import Charge
from otel_llmcost.errors import StoreError
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Store
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector.store_api import StoreApi
from otel_llmcost_collector.store_teams import names_another
from otel_llmcost_collector.tokens import Token
from tests.storage.books import LEASE, NOW, USD, Books, budget, channel
from tests.storage.serving import Serving

BUDGETS = [budget("shared"), budget("by-team", per=("team",)), budget("by-user", per=("team", "user"))]
SOON = NOW + timedelta(days=1)


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving() as running:
        yield running


@pytest.fixture
def kept() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def support(serving: Serving, kept: MemoryStore) -> Iterator[Store]:
    """The store as team support is let see it."""
    rights = frozenset({"agent", "reader"})
    token = Token(name="s", sha256=sha256(b"geheim").hexdigest(), rights=rights, team="support")
    serving.app = api = StoreApi(kept, tokens=[token])
    store = open_store(f"http://127.0.0.1:{serving.port}?timeout=5", token="geheim")
    yield store
    store.close()
    api.close()


@pytest.fixture
def both(kept: MemoryStore) -> Books:
    """What two teams spent already."""
    books = Books(kept, BUDGETS)
    for number, team in enumerate(("support", "legal")):
        tags = {"team": team, "user": "u-1"}
        hold = books.reserve(1 + number, tags)
        told = {"tags": tags, "response_id": f"of {team}", "status": "estimated"}
        kept.settle([books.posting(hold, 1 + number, **told)])
    return books


def tagged(team: str | None) -> Callable[[Charge], Charge]:
    return lambda charge: replace(charge, tags={} if team is None else {"team": team})


def test_a_call_of_another_team_is_not_reserved(support: Store, kept: MemoryStore) -> None:
    books = Books(kept, BUDGETS)

    with pytest.raises(StoreError, match="does not let the token do this: this token is for team support"):
        support.reserve(books.hold(1, {"team": "legal"}))

    assert support.reserve(books.hold(1, {"team": "support"})) is None
    assert [balance.subject for balance in books.balances("by-team")] == ["team=support"]


@pytest.mark.parametrize("said", [None, "legal", "support"])
def test_whoever_holds_the_token_pays(support: Store, kept: MemoryStore, said: str | None) -> None:
    """A settlement is booked in any case: the money is spent."""
    books = Books(kept, BUDGETS)
    posting = books.posting(books.hold(1, {} if said is None else {"team": said}), 1)
    assert posting.charge is not None

    support.settle([replace(posting, charge=tagged(said)(posting.charge))])

    (charge,) = kept.charges(NOW, SOON)
    assert charge.tags == {"team": "support"}
    assert books.balance("shared").settled_nano == USD
    assert sum(each.settled_nano for each in books.balances("by-team")) == (USD if said == "support" else 0)


def test_only_its_own_balances_are_shown(support: Store, both: Books) -> None:
    spans = [(each, each.window.at(NOW)) for each in BUDGETS]

    assert sorted((each.budget, each.subject) for each in support.balances(spans)) == [
        ("by-team", "team=support"),
        ("by-user", "team=support,user=u-1"),
        ("shared", ""),
    ]


@pytest.mark.parametrize("by", [[], ["agent"], ["team"], ["team", "day"]])
def test_only_its_own_calls_are_added_up(support: Store, both: Books, by: list[Any]) -> None:
    (total,) = support.totals(by, NOW, SOON)

    assert (total.calls, total.cost_nano, len(total.group)) == (1, USD, len(by))


def test_only_its_own_charges_are_shown(support: Store, both: Books) -> None:
    assert [charge.tags["team"] for charge in support.charges(NOW, SOON)] == ["support"]
    assert [each.calls for each in support.unconfirmed(NOW, SOON)] == [1]
    assert support.uncertain("of legal") is None
    assert support.uncertain("of support") is not None


def test_only_its_own_budgets_are_counted_anew(support: Store) -> None:
    """Another's would begin again at what this team says they count."""
    own = budget("own", scope=Scope({"team": ("support",)}))
    wide = budget("wide", scope=Scope({"team": ("s*", "support")}))

    assert support.adopt([own, wide, budget("all")], NOW) == ["own"]


def test_only_its_own_alerts_are_shown_and_fired(support: Store, kept: MemoryStore) -> None:
    books = Books(kept, [budget("by-team", "1", per=("team",))])
    for team in ("support", "legal"):
        books.spend(0.8, {"team": team})
    legal, own = (fired.alert for fired in kept.alerts())

    assert [each.alert.key.subject for each in support.alerts()] == ["team=support"]
    assert [each.alert.key.subject for each in support.open_alerts(NOW)] == ["team=support"]
    assert support.fire(replace(own, level="critical"))
    for alert in (legal, replace(own, key=BalanceKey("team=legal", "", 0), kind="anomaly")):
        with pytest.raises(StoreError, match="this is another's"):
            support.fire(alert)


def test_duties_are_left_to_those_who_see_all(support: Store, kept: MemoryStore) -> None:
    assert not support.lead("pace", "support", NOW, SOON)
    assert kept.lead("pace", "another", NOW, SOON)


def test_the_outbox_is_left_to_those_who_may_act_for_all(support: Store, kept: MemoryStore) -> None:
    Books(kept).spend(8)
    ops = [channel("ops", "warning")]

    assert support.claim_deliveries(ops, NOW, lease=LEASE) == []
    assert (support.pending_deliveries(), support.next_delivery_at(["ops"])) == (0, None)
    (delivery,) = kept.claim_deliveries(ops, NOW, lease=LEASE)
    with pytest.raises(StoreError, match="this is another's"):
        support.finish_delivery(delivery)
    assert [each.delivery_id for each in support.deliveries()] == [delivery.delivery_id]


@pytest.mark.parametrize(
    ("per", "tags", "team", "is_another"),
    [
        pytest.param((), {}, "support", False, id="a-balance-for-all"),
        pytest.param(("user",), {"user": "u"}, "support", False, id="of-a-user"),
        pytest.param(("team",), {"team": "support"}, "support", False, id="its-own"),
        pytest.param(("team",), {"team": "legal"}, "support", True, id="another"),
        pytest.param(("user", "team"), {"user": "u", "team": "legal"}, "support", True, id="another-among-several"),
        pytest.param(("team",), {"team": "a,b"}, "a,b", False, id="its-own-with-a-comma"),
        pytest.param(("team", "user"), {"team": "a,b%", "user": "u"}, "a,b%", False, id="its-own-with-escapes"),
        pytest.param(("team",), {"team": "a,b"}, "a", True, id="begins-like-it"),
        pytest.param(("team",), {"team": "b\udcff"}, "b\udcff", False, id="its-own-with-a-stray-byte"),
    ],
)
def test_a_subject_tells_whose_it_is(per: Any, tags: Any, team: str, is_another: bool) -> None:
    subject = subject_of(per, tags)

    assert subject is not None
    assert names_another(subject, team) is is_another
