"""The text is what Prometheus reads, whatever names somebody sent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.utils import floatToGoString

from otel_llmcost_collector.exposition.text import (
    Family,
    HistogramLines,
    decimal,
    document,
    exemplar,
    go_float,
    is_openmetrics,
    labelled,
    takes_gzip,
)

OF_PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


@given(st.integers(min_value=-(10**27), max_value=10**27))
def test_an_amount_keeps_all_its_digits(nano: int) -> None:
    """Money never goes through a float on our side."""
    assert Decimal(decimal(nano, 9)) == Decimal(nano).scaleb(-9)


def test_a_count_has_no_point() -> None:
    assert decimal(1234, 0) == "1234"


@example(float("inf"))
@example(float("-inf"))
@example(float("nan"))
@example(67_108_864.0)
@example(1e-05)
@given(st.one_of(st.floats(), st.integers(min_value=0, max_value=10**12).map(float)))
def test_bounds_are_written_as_exporters_do(number: float) -> None:
    """Else the buckets of an agent and of a collector do not add up."""
    assert go_float(number) == floatToGoString(number)


@pytest.mark.parametrize("value", ['a"b', "a\\b", "a\nb", "ü€😀", "\\n", "}", 'x",y="'])
def test_any_name_comes_through(value: str) -> None:
    """A model may be called anything by whoever sends."""
    line = f"x{{{labelled({'model': value})}}} 1"
    families = [Family("x", "gauge", "h", [line])]

    read = [
        *read_text(document(families, is_openmetrics=False).decode()),
        *read_openmetrics(document(families, is_openmetrics=True).decode()),
    ]

    assert [family.samples[0].labels for family in read] == [{"model": value}] * 2


@given(st.text())
def test_no_name_breaks_the_others(value: str) -> None:
    """What cannot be written is replaced; the lines around it stay."""
    lines = [f"x{{{labelled({'model': value, 'n': '1'})}}} 1", 'x{n="2"} 2']
    text = document([Family("x", "gauge", "h", lines)], is_openmetrics=False).decode()

    (family,) = read_text(text)

    assert [sample.value for sample in family.samples] == [1, 2]


def test_a_label_without_a_value_is_left_out() -> None:
    assert labelled({"a": "", "b": "1"}) == 'b="1"'


def test_help_is_one_line_in_both_formats() -> None:
    family = Family("x", "counter", 'back\\slash "quoted"\nnext', ["x_total 1"])

    old, new = (document([family], is_openmetrics=is_new).decode() for is_new in (False, True))

    assert old.splitlines()[:2] == ['# HELP x_total back\\\\slash "quoted"\\nnext', "# TYPE x_total counter"]
    assert new.splitlines()[:2] == ['# HELP x back\\\\slash \\"quoted\\"\\nnext', "# TYPE x counter"]
    assert new.endswith("# EOF\n")


def test_a_metric_without_a_sample_is_not_there() -> None:
    assert document([Family("x", "gauge", "h", [])], is_openmetrics=False) == b"\n"


def test_a_distribution_is_cumulative_and_names_calls() -> None:
    lines = HistogramLines("x", 'a="1"', (0.5, 1), 3)
    behind = {1: exemplar("a" * 32, "b" * 16, "0.7", 1_500_000)}

    text = document([Family("x", "histogram", "h", lines.lines([1, 2, 0, 1600], behind))], is_openmetrics=True)

    (family,) = read_openmetrics(text.decode())
    assert [(sample.name, sample.value) for sample in family.samples] == [
        ("x_bucket", 1),
        ("x_bucket", 3),
        ("x_bucket", 3),
        ("x_count", 3),
        ("x_sum", 1.6),
    ]
    assert family.samples[1].exemplar.labels == {"trace_id": "a" * 32, "span_id": "b" * 16}


def test_an_id_that_is_too_long_is_not_named() -> None:
    """OpenMetrics allows 128 characters; a broken sender's trace id may have more."""
    assert exemplar("a" * 200, None, "1", 0) == ""


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(OF_PROMETHEUS, True, id="prometheus"),
        pytest.param("", False, id="nothing-said"),
        pytest.param("*/*", False, id="curl"),
        pytest.param("text/html, text/plain;q=0.9", False, id="browser"),
        pytest.param("application/openmetrics-text; q=0", False, id="refused"),
        pytest.param("application/openmetrics-text;q=0.2,text/plain", False, id="liked-less"),
        pytest.param("application/openmetrics-text; version=1.0.0; q=x", False, id="nonsense"),
    ],
)
def test_who_asks_chooses_the_format(accept: str, *, expected: bool) -> None:
    assert is_openmetrics(accept) is expected


@pytest.mark.parametrize(
    ("accept", "expected"), [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("", False), ("br", False)]
)
def test_who_asks_says_whether_to_pack(accept: str, *, expected: bool) -> None:
    assert takes_gzip(accept) is expected
