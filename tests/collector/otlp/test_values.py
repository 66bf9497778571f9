"""Values of attributes, from how they stand in a request."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList

from otel_llmcost_collector.otlp import values as module
from otel_llmcost_collector.otlp.values import Values, from_json, from_wire
from tests.collector.spans import pairs, value_of

SCALARS = st.one_of(st.text(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))


@given(st.one_of(SCALARS, st.tuples(SCALARS, SCALARS), st.tuples(st.tuples(SCALARS))))
def test_what_a_sender_writes_is_read(value):
    """Every type, every size."""
    stored = replaced(value)

    assert from_wire(value_of(value).SerializeToString()) == stored


@pytest.mark.parametrize(
    "message",
    [
        AnyValue(),
        AnyValue(bytes_value=b"x"),
        AnyValue(kvlist_value=KeyValueList(values=pairs({"a": 1}))),
        AnyValue(array_value=ArrayValue(values=[AnyValue(bytes_value=b"x")])),
    ],
    ids=["nothing", "bytes", "map", "array-of-bytes"],
)
def test_what_is_of_another_type_is_none(message):
    """Nobody asks for such values."""
    assert from_wire(message.SerializeToString()) is None


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"\n\x03a\xffb", "a\ufffdb"),
        (b"\n\xc8\x01" + b"\xff" * 200, "\ufffd" * 200),
        (b"\n\xc9\x01" + b"\xff" * 200, None),
        (b"\n\xff", None),
        (b"\n", None),
        (b"\x18", None),
        (b"\x2a\xff", None),
        (b"\x18\x05\n\x01x", "x"),
    ],
)
def test_a_broken_value_is_read_as_far_as_it_is_text(content, value):
    """A stray byte in a name must not hide a cost."""
    assert from_wire(content) == value


@pytest.mark.parametrize(
    ("told", "value"),
    [
        ({"stringValue": "a"}, "a"),
        ({"stringValue": "a\0b"}, "a\ufffdb"),
        ({"boolValue": False}, False),
        ({"intValue": "12"}, 12),
        ({"intValue": -3}, -3),
        ({"intValue": "x"}, None),
        ({"intValue": str(2**63)}, None),
        ({"doubleValue": 1.5}, 1.5),
        ({"doubleValue": 2}, 2.0),
        ({"doubleValue": "Infinity"}, math.inf),
        ({"doubleValue": "x"}, None),
        ({"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "b"}]}}, (1, "b")),
        ({"arrayValue": {"values": [{"bytesValue": "eA=="}]}}, None),
        ({"arrayValue": {}}, ()),
        ({"kvlistValue": {}}, None),
        ({"stringValue": 1}, None),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_values_of_json_are_read(told, value):
    """As protobuf's own form in JSON has them."""
    assert from_json(json.dumps(told).encode()) == value


def test_a_half_of_a_character_in_json_is_no_value():
    """JavaScript writes such texts when it cuts one in the middle of a character."""
    assert from_json(b'{"stringValue": "\\ud83d"}') is None


def test_what_is_remembered_is_bounded_and_short(monkeypatch):
    """Values come from whoever sends spans."""
    monkeypatch.setattr(module, "_MOST_KNOWN", 3)
    values = Values(from_wire, 256)

    read = [values[value_of(number).SerializeToString()] for number in range(10)]

    assert read == list(range(10))
    assert len(values) <= 3
    assert values[value_of("x" * 100).SerializeToString()] not in values.values()


def test_long_text_is_told():
    """Whoever keeps it must cut it."""
    values = Values(from_wire, 10)

    assert values[value_of("x" * 10).SerializeToString()] == "x" * 10
    assert not values.met_long
    assert len(values[value_of("x" * 11).SerializeToString()]) == 11
    assert values.met_long


def replaced(value):
    if isinstance(value, tuple):
        return tuple(map(replaced, value))
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
