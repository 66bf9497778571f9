"""A request in protobuf, taken apart."""

from __future__ import annotations

from itertools import chain

import pytest

from otel_llmcost_collector.dialects import directory
from otel_llmcost_collector.otlp import frame
from tests.collector.spans import request, span


def test_a_broken_resource_or_scope_says_nothing():
    """Its spans are priced all the same."""
    assert frame.attributes_of(b"\xff") == {}
    assert frame.name_of(b"\xff") == ""


def test_a_resource_and_a_scope_are_read():
    """They say for whom all of their spans are."""
    (made,) = request(span(), scope="s", resource={"team": "t"}).resource_spans

    assert dict(frame.attributes_of(made.resource.SerializeToString())) == {"team": b"\n\x01t"}
    assert frame.name_of(made.scope_spans[0].scope.SerializeToString()) == "s"


@pytest.mark.parametrize("prefix", frame.PREFIXES)
def test_a_span_with_a_name_of_any_dialect_is_found(prefix):
    """Wherever it stands among the others."""
    names = [{"http.route": "/", f"{prefix}.x": 1}, {f"{prefix}.x": 1}, {"http.route": "/", f"{prefix}x.y": 1}]
    made = request(*map(span, names)).SerializeToString()

    (found,) = frame.hits(frame.parsed(made))

    assert found.places == [0, 1]


def test_every_span_that_a_dialect_reads_is_found():
    """What the filter drops, nobody reads."""
    assert {f"{prefix}." for prefix in frame.PREFIXES} == set(directory._TELLING)


def test_spans_are_found_in_their_scopes():
    """One request holds many resources and scopes."""
    both = request(span(), scope="a")
    both.MergeFrom(request(span({}), span(), scope="b"))

    found = list(frame.hits(frame.parsed(both.SerializeToString())))

    assert [(frame.name_of(each.scope), each.places) for each in found] == [("a", [0]), ("b", [1])]
    assert list(chain(*(each.contents for each in found))) == [span().SerializeToString()] * 2


def test_broken_spans_are_left_out_among_the_others():
    """They are read one by one then."""
    made = request(span({"gen_ai.a": 1}), span({"gen_ai.b": 1}), span({"gen_ai.c": 1})).SerializeToString()
    (found,) = frame.hits(frame.parsed(made.replace(b"gen_ai.b", b"gen_ai.\xff")))

    places, contents, spans = frame.readable(found)

    assert (places, len(contents)) == ([0, 2], 2)
    assert [dict(each.attributes) for each in spans] == [{"gen_ai.a": b"\x18\x01"}, {"gen_ai.c": b"\x18\x01"}]
