"""Whose balance a call counts on is told by its tags, and never confused with another's."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_llmcost.core.attribution import DIMENSIONS, SAID, Dimension, Scope, encodable, merged, subject_of

VALUES = st.text(min_size=1, max_size=8) | st.sampled_from([",", "a,team=b", "%2C", "=", "%"])
PAIRS = st.tuples(VALUES, VALUES)


def test_later_layers_win() -> None:
    assert merged({"team": "a", "user": "u"}, {}, {"team": "b"}) == {"team": "b", "user": "u"}


def test_what_a_call_tells_of_itself_cannot_be_said() -> None:
    assert set(DIMENSIONS) - set(SAID) == {"provider", "model", "trace"}


@pytest.mark.parametrize(
    ("per", "tags", "subject"),
    [
        ((), {"user": "u-7"}, ""),
        (("user",), {"user": "u-7", "team": "t"}, "user=u-7"),
        (("team", "user"), {"user": "u-7", "team": "t"}, "team=t,user=u-7"),
        (("user",), {"team": "t"}, None),
        (("team", "user"), {"team": "t"}, None),
        (("user",), {"user": "Jörg"}, "user=Jörg"),
    ],
)
def test_a_subject_names_the_balance(per: tuple[Dimension, ...], tags: dict[Dimension, str], subject: str) -> None:
    assert subject_of(per, tags) == subject


@example(("u,team=a", "b"), ("u", "a,team=b"))
@example(("u%2Cteam=a", "b"), ("u,team=a", "b"))
@given(PAIRS, PAIRS)
def test_no_two_subjects_have_one_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    """A user who may choose his name must not get onto another's balance."""
    names = [subject_of(("user", "team"), {"user": user, "team": team}) for user, team in (one, other)]

    assert (names[0] == names[1]) == (one == other)


def test_stray_bytes_are_spelled_out() -> None:
    assert encodable("J\udcf6rg ☃") == "J\\udcf6rg ☃"
    assert encodable("plain") == "plain"


@pytest.mark.parametrize(
    ("patterns", "tags", "is_match"),
    [
        pytest.param({}, {}, True, id="no-pattern-is-every-call"),
        pytest.param({"team": ("support",)}, {"team": "support", "user": "u"}, True, id="exact"),
        pytest.param({"team": ("support",)}, {"team": "Support"}, False, id="case-counts"),
        pytest.param({"team": ("support",)}, {}, False, id="not-known"),
        pytest.param({"team": ("*",)}, {}, False, id="not-known-fits-not-even-a-star"),
        pytest.param({"model": ("gpt-*",)}, {"model": "gpt-4o"}, True, id="star"),
        pytest.param({"model": ("gpt-*",)}, {"model": "my-gpt-4o"}, False, id="from-the-beginning"),
        pytest.param({"model": ("gpt-?",)}, {"model": "gpt-4o"}, False, id="to-the-end"),
        pytest.param({"model": ("gpt-[45]o",)}, {"model": "gpt-4o"}, True, id="set"),
        pytest.param({"model": ("o1", "gpt-*", "claude-*")}, {"model": "claude-opus"}, True, id="one-of-several"),
        pytest.param({"model": ("o1", "gpt-*")}, {"model": "o1-mini"}, False, id="none-of-several"),
        pytest.param({"model": ("a.c",)}, {"model": "abc"}, False, id="a-dot-is-a-dot"),
        pytest.param({"team": ("t",), "user": ("u*",)}, {"team": "t", "user": "x"}, False, id="all-must-fit"),
        pytest.param({"user": ("u*",)}, {"user": "u\n7"}, True, id="over-lines"),
    ],
)
def test_a_scope_picks_calls_by_pattern(
    patterns: dict[Dimension, tuple[str, ...]], tags: dict[Dimension, str], is_match: bool
) -> None:
    assert Scope(patterns).matches(tags) is is_match


def test_a_scope_is_shown_as_it_was_written() -> None:
    assert str(Scope({"team": ("support",), "model": ("gpt-*", "o1")})) == "team=support model=gpt-*|o1"


def test_scopes_are_equal_by_their_patterns() -> None:
    assert Scope({"team": ("a*",)}) == Scope({"team": ("a*",)})
    assert Scope({"team": ("a*",)}) != Scope({"team": ("a",)})
