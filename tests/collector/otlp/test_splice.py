"""Attributes of ours, as they are written behind those that a span has."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llmcost_collector.otlp.splice import Layout, varint
from tests.collector.spans import pairs, span

NAMES = ["gen_ai.usage.cost", "n" * 200]
TEXTS = [("llmcost.price.id", "é" * 150), ("empty", "")]


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=2))
def test_what_is_appended_is_read_as_attributes(values):
    """Protobuf merges messages that stand one behind the other."""
    before = span()

    after = Span.FromString(before.SerializeToString() + Layout(NAMES, TEXTS).wire(values, None))

    before.attributes.extend(pairs(dict(zip(NAMES, values, strict=True)) | dict(TEXTS)))
    assert after == before


def test_a_number_that_is_not_written_leaves_no_gap():
    """Numbers come in one order, whether they are written or not."""
    layout = Layout([None, "a", None, "b"], [])

    assert Span.FromString(layout.wire([1.0, 2.0, 3.0, 4.0], None)).attributes[:] == pairs({"a": 2.0, "b": 4.0})
    assert [json.loads(each)["key"] for each in layout.json([1.0, 2.0, 3.0, 4.0], None)] == ["a", "b"]


def test_an_object_of_json_says_the_same():
    """Both forms tell of one span."""
    first, second = map(json.loads, Layout(["a"], [("b", "c")]).json([0.25], None))

    assert first == {"key": "a", "value": {"doubleValue": 0.25}}
    assert second == {"key": "b", "value": {"stringValue": "c"}}


@pytest.mark.parametrize("charge_id", ["0" * 32, "é" * 32, "019e7044-887b-7000-8001-020304050607", ""])
def test_a_charge_id_of_any_length_is_written(charge_id):
    """Only those that are made of spans are of one length."""
    written = Layout(["a"], [("b", "c")]).wire([1.0], charge_id)

    assert Span.FromString(written).attributes[:] == pairs({"a": 1.0, "b": "c", "llmcost.charge.id": charge_id})


@pytest.mark.parametrize(("number", "written"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")])
def test_a_count_is_written_as_protobuf_does(number, written):
    """Seven bits a byte."""
    assert varint(number) == written
