"""The whole pipeline on spans that real instrumentors emitted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otel_llmcost.pricebook.book import load
from otel_llmcost_collector.dialects.directory import reader_for
from otel_llmcost_collector.pipeline import Pipeline
from tests.collector.dialects import corpus
from tests.collector.spans import attributes_in, from_json, request, spans_in

SENDERS = corpus.senders()


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline(load(), readers=reader_for)


@pytest.mark.parametrize("sender", SENDERS)
def test_every_telling_becomes_a_charge_unless_it_failed(sender, pipeline):
    """The filter in front of the dialects lets through all that they read."""
    tellings = [each.telling for each in corpus.recorded(sender) if each.telling is not None]

    priced = [pipeline.traces_json(content) for content in requests(sender)]

    found = sum(each.inference for each in priced)
    assert found >= len(tellings)
    assert sum(each.rejected for each in priced) == 0
    assert len([each for one in priced for each in one.observed]) >= len([each for each in tellings if each.counts])


@pytest.mark.parametrize("sender", SENDERS)
def test_both_forms_tell_the_same(sender, pipeline):
    """How a request came changes no charge."""
    for content in requests(sender):
        assert pipeline.traces_json(content).observed == pipeline.traces(from_json(content)).observed


@pytest.mark.parametrize("sender", SENDERS)
def test_a_second_collector_finds_the_same_charges(sender, pipeline):
    """Two in a row are one bill, and the second writes nothing."""
    for content in requests(sender):
        first = pipeline.traces(from_json(content))

        second = pipeline.traces(first.content)

        assert second.content is first.content
        assert [amounts(each) for each in second.observed] == [amounts(each) for each in first.observed]
        for each in spans_in(first.content):
            attributes_in(request(each).SerializeToString())  # no name is there twice


def requests(sender):
    """Take the requests of a recording."""
    path = Path(corpus.SPANS) / f"{sender}.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        yield json.dumps({"resourceSpans": json.loads(line)["resourceSpans"]}).encode()


def amounts(observed):
    """Return what is the same, whoever tells it."""
    return observed.charge_id, observed.at_us, observed.cost_nano, observed.counts, observed.status, observed.rate_id
