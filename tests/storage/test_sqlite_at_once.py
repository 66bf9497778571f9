"""Calls that end are booked in few statements; where one is out of the ordinary, all of them still come out right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otel_llmcost.core.attribution import Tags
from otel_llmcost.core.budget import Balance
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Posting, Store
from tests.storage.books import LEASE, NOW, Books, budget, unbilled

Open = Callable[..., Store]
KINDS = ("plain", "unbilled", "expired", "known", "never held", "suspected", "odd", "of a new user")


def ended(books: Books, kind: str) -> Posting:
    """Make a call up to its end."""
    tags: Tags = {"user": "u-2" if kind == "of a new user" else "u-1"}
    hold = books.hold(1, tags) if kind in {"never held", "of a new user"} else books.reserve(1, tags)
    if kind == "unbilled":
        return unbilled(hold)
    changes: dict[str, dict[str, Any]] = {"suspected": {"status": "suspected"}, "odd": {"tags": {"agent": "\ud800"}}}
    posting = books.posting(hold, 0.5, **changes.get(kind, {}))
    if kind == "known":
        books.store.settle([posting])
    return posting


def outcome(store: Store, kinds: tuple[str, str]) -> list[Balance]:
    books = Books(store, [budget(), budget("each", per=("user",))])
    late = ended(books, "expired") if "expired" in kinds else None
    store.expire(NOW + LEASE)
    store.settle([late if late is not None and kind == "expired" else ended(books, kind) for kind in kinds])
    return [*books.balances("all"), *books.balances("each")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_first", [True, False])
def test_one_call_out_of_the_ordinary_is_booked_right_and_so_is_the_one_with_it(
    kind: str, is_first: bool, open_file: Open
) -> None:
    """What was done at once is undone and done with care, never twice."""
    kinds = (kind, "plain") if is_first else ("plain", kind)

    found = outcome(open_file(), kinds)

    assert found == outcome(open_store("memory://"), kinds)
    assert sum(balance.reserved_nano for balance in found) == 0


def test_more_budgets_than_go_into_one_statement_are_all_held_and_settled(open_file: Open) -> None:
    books = Books(open_file(), [budget(f"b-{number}", "10") for number in range(19)])
    hold = books.reserve(1)

    fired = books.store.settle([books.posting(hold, 8)])

    found = [books.balance(f"b-{number}") for number in range(19)]
    assert {(balance.settled_nano, balance.reserved_nano) for balance in found} == {(8_000_000_000, 0)}
    assert [alert.key.budget for alert in fired] == [f"b-{number}" for number in range(19)]
    assert books.store.reserve(hold) is None
