"""Many scopes together tell what each of them tells alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core import scopes as scopes_module
from otel_llmcost.core.attribution import Dimension, Scope, Tags
from otel_llmcost.core.scopes import Scopes

NAMES = st.sampled_from(["a", "b", "ab", "ba", "abc"])
PATTERNS = st.sampled_from(["a", "b", "ab", "a*", "*b", "?b*", "[ab]", "*"])
FIELDS: st.SearchStrategy[Dimension] = st.sampled_from(["team", "user", "model"])
SCOPES = st.builds(Scope, st.dictionaries(FIELDS, st.lists(PATTERNS, min_size=1, max_size=3).map(tuple)))


@given(many=st.lists(SCOPES, max_size=12), calls=st.lists(st.dictionaries(FIELDS, NAMES), max_size=8))
def test_many_scopes_tell_what_each_tells_alone(many: list[Scope], calls: list[Tags]) -> None:
    """However often a call is seen, and in whatever order."""
    together = Scopes(many)

    for tags in [*calls, *calls]:
        assert together.around(tags) == tuple(place for place, one in enumerate(many) if one.matches(tags))


def test_patterns_are_tried_once_for_each_value() -> None:
    """A hundred budgets, and calls of one user with many models: what is kept grows with their sum, not product."""
    many = Scopes([Scope({"user": (f"u-{number}*",), "model": ("gpt-*",)}) for number in range(100)])

    found = [many.around({"user": "u-77", "model": model}) for model in ("gpt-4o", "gpt-5", "claude", "gpt-5")]

    assert found == [(7, 77), (7, 77), (), (7, 77)]
    assert [len(bits.known) for bits in many._dimensions.values()] == [1, 3]
    assert len(many._groups) == 2


@pytest.mark.parametrize("kept", ["_MOST_VALUES", "_MOST_GROUPS"])
def test_what_is_kept_of_calls_has_a_bound(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users come and go; what was seen of them must not grow for ever, and all stays right."""
    monkeypatch.setattr(scopes_module, kept, 3)
    many = Scopes([Scope({"user": (f"u-{number}*",)}) for number in range(10)])

    found = [many.around({"user": f"u-{number}x"}) for number in [*range(10), *range(10)]]

    assert found == [(number,) for number in [*range(10), *range(10)]]
    assert min(len(many._groups), len(many._dimensions["user"].known)) <= 3
