"""A request in JSON, taken apart and put together."""

from __future__ import annotations

import json

import pytest

from otel_llmcost_collector.otlp import json as otlp_json
from tests.collector.spans import as_json, request, span


def test_a_broken_resource_or_scope_says_nothing():
    """Its spans are priced all the same."""
    assert otlp_json.attributes_of(b'{"attributes": 1}') == {}
    assert otlp_json.name_of(b'{"name": 1}') == ""
    assert otlp_json.attributes_of(b"null") == {}
    assert otlp_json.name_of(b"null") == ""


def test_only_what_holds_a_changed_span_is_written_anew():
    """All else is kept byte for byte."""
    content = as_json(request(span())).replace(b'"key": "service.name"', b'"key"  :  "service.name"')
    taken = otlp_json.Request(content)
    (hits,) = taken.hits()

    assert hits.write(0, b'{"other":true}')

    assert b'"key"  :  "service.name"' in taken.written()
    assert json.loads(taken.written())["resourceSpans"][0]["scopeSpans"][0]["spans"] == [{"other": True}]


def test_a_resource_without_scopes_and_a_scope_without_spans_stay_so():
    """Nothing is put where nothing was."""
    told = json.loads(as_json(request(span())))
    told["resourceSpans"] += [{}, {"scopeSpans": [{}]}]

    assert json.loads(otlp_json.Request(json.dumps(told).encode()).written()) == told


@pytest.mark.parametrize(
    ("status", "code"),
    [({}, 0), ({"code": 2}, 2), ({"code": "STATUS_CODE_ERROR"}, 2), ({"code": "else"}, 0), (None, 0)],
)
def test_a_status_is_a_number_or_a_name(status, code):
    """Protobuf's own form in JSON allows both."""
    read = otlp_json.span_of(json.dumps({"status": status}).encode())

    assert read is not None
    assert read.status.code == code


@pytest.mark.parametrize("at", [-1, 2**64, "x", 1.5, []])
def test_a_span_with_an_impossible_time_is_none(at):
    """It is handed on as it came."""
    assert otlp_json.span_of(json.dumps({"startTimeUnixNano": at}).encode()) is None


@pytest.mark.parametrize("told", ["", "xyz", None, "W47/95gDgQPSabYzgT/GDA=="])
def test_an_id_that_is_none_is_left_out(told):
    """Some senders write ids as protobuf writes bytes, which OTLP forbids."""
    read = otlp_json.span_of(json.dumps({"traceId": told}).encode())

    assert read is not None
    assert read.trace_id == b""


def test_a_span_with_a_name_that_is_no_text_is_not_written_on():
    """It cannot be put together again."""
    content = b'{"attributes": [1], "\xff": 1}'

    assert otlp_json.with_attributes(content, [b"{}"]) is None
