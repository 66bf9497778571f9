"""The way of one request, on bytes."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from otel_llmcost.core.overrides import PriceOverride
from otel_llmcost.core.prices import PriceBook
from otel_llmcost_collector import observing
from otel_llmcost_collector.otlp.errors import MalformedError
from otel_llmcost_collector.pipeline import Pipeline
from tests.bench.collector.corpus import SETS, payloads
from tests.bench.collector.naive import Naive
from tests.collector.reading import reader_for
from tests.collector.spans import (
    CALL,
    COST_NANO,
    START_NS,
    as_json,
    attributes_in,
    book,
    of_json,
    pairs,
    pipeline,
    request,
    span,
    spans_in,
    wire,
)

HTTP = {"http.request.method": "GET", "url.full": "https://example.com/"}


@pytest.fixture(scope="module")
def whole_book():
    from otel_llmcost.pricebook.book import load

    return load()


@pytest.mark.parametrize("name", SETS)
def test_what_is_forwarded_and_observed_is_what_the_plain_way_gives(name, whole_book):
    """The plain loop over OpenTelemetry's own messages is the oracle."""
    fast, plain = Pipeline(whole_book, readers=reader_for), Naive(whole_book, readers=reader_for)

    for content in payloads(name, 2):
        priced = fast.traces(content)
        expected, observed = plain.traces(content)

        assert priced.observed == observed
        assert parsed(priced.content) == parsed(expected)


@pytest.mark.parametrize("name", SETS)
def test_json_and_protobuf_tell_of_the_same_calls(name, whole_book):
    """How a request came changes no charge."""
    fast = Pipeline(whole_book, readers=reader_for)
    content = payloads(name, 1)[0]

    told = fast.traces_json(as_json(parsed(content)))

    priced = fast.traces(content)
    assert told.observed == priced.observed
    assert (told.spans, told.inference) == (priced.spans, priced.inference)
    assert of_json(told.content) == of_json(as_json(parsed(priced.content)))


def test_a_call_is_priced_and_its_span_says_so():
    """Every name that is written stands in the conventions or in ours."""
    priced = pipeline().traces(wire(span()))

    (observed,) = priced.observed
    assert (observed.cost_nano, observed.list_cost_nano, observed.status) == (COST_NANO, COST_NANO, "confirmed")
    assert attributes_in(priced.content) == CALL | {
        "gen_ai.usage.cost": 0.002,
        "llmcost.cost.input": pytest.approx(0.001),
        "llmcost.cost.output": pytest.approx(0.001),
        "llmcost.cost.source": "collector",
        "llmcost.price.id": "acme/m+here",
        "llmcost.charge.id": "019e7044887b00010203040506070e0f",
    }


def test_what_is_observed_names_call_span_and_rate():
    """The accountant needs nothing but this."""
    parent = bytes(range(8, 16))

    (observed,) = pipeline().traces(wire(span(parent_span_id=parent))).observed

    assert observed.at_us == START_NS // 1000
    assert observed.duration_us == 1_500_000
    assert (observed.trace_id, observed.span_id) == (bytes(range(16)).hex(), bytes(range(8)).hex())
    assert observed.parent_span_id == parent.hex()
    assert (observed.provider, observed.requested_model, observed.source, observed.richness) == ("acme", "m", "test", 3)
    assert (observed.rate_id, observed.rate_source, observed.tier) == ("acme/m+here", "here", "standard")


@pytest.mark.parametrize("spans", [[], [span(HTTP)], [span({})]], ids=["none", "no-call", "bare"])
def test_a_request_without_calls_stays_the_very_same_bytes(spans):
    """Nothing is written anew without need."""
    content, text = wire(*spans), as_json(request(*spans))

    priced, told = pipeline().traces(content), pipeline().traces_json(text)

    assert priced.content is content
    assert told.content is text
    assert (priced.spans, told.spans, priced.inference) == (len(spans), len(spans), 0)


@pytest.mark.parametrize("content", [b"", b"{}"], ids=["protobuf", "json"])
def test_an_empty_request_is_a_request(content):
    """Senders probe with it."""
    priced = pipeline().traces_json(content) if content else pipeline().traces(content)

    assert (priced.content, priced.spans, priced.observed) == (content, 0, [])


@pytest.mark.parametrize("content", [b"\x0a\xff", b"no protobuf", b"\x0a\x05\x12\x03\x12\x09x"])
def test_what_is_no_protobuf_is_malformed(content):
    """The sender is told not to send it again."""
    with pytest.raises(MalformedError):
        pipeline().traces(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"no json",
        b'{"resourceSpans": 1}',
        b'{"resourceSpans": [1]}',
        b'{"resourceSpans": [{"scopeSpans": {}}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}',
        b'{"a": ' + b"[" * 5000,
    ],
)
def test_what_is_no_request_in_json_is_malformed(content):
    """The sender is told not to send it again."""
    with pytest.raises(MalformedError):
        pipeline().traces_json(content)


def test_a_broken_span_does_not_harm_the_others():
    """It is handed on as it came, and counted."""
    broken = b"\n\x06gen_ai.\xff\xff\xff"
    good = span().SerializeToString()

    priced = pipeline().traces(framed(broken, good))

    assert (priced.spans, priced.inference, priced.rejected) == (2, 1, 1)
    assert broken in priced.content
    assert len(priced.observed) == 1


def test_a_broken_span_in_json_does_not_harm_the_others():
    """It is handed on as it came, and counted."""
    told = of_json(as_json(request(span(), span())))
    told["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["startTimeUnixNano"] = "tomorrow"

    priced = pipeline().traces_json(json.dumps(told).encode())

    assert (priced.spans, priced.inference, priced.rejected) == (2, 1, 1)
    assert b'"tomorrow"' in priced.content


def test_text_that_is_no_utf8_rejects_nothing():
    """OpenTelemetry's own messages would reject all of such a request."""
    content = wire(span(CALL | {"user.id": "good-name"}), span(HTTP)).replace(b"good-name", b"bad-\xff\xfe-no")
    content = content.replace(b"example", b"exam\xffle")

    priced = pipeline().traces(content)

    assert priced.rejected == 0
    assert priced.observed[0].tags == {"user": "bad-��-no"}
    assert b"exam\xffle" in priced.content


def test_a_name_of_an_attribute_that_is_no_utf8_rejects_its_span_only():
    """Whether it is a call cannot be said."""
    content = wire(span(CALL | {"some.name": 1}), span()).replace(b"some.name", b"some\xffname")

    priced = pipeline().traces(content)

    assert (priced.inference, priced.rejected) == (1, 1)


@pytest.mark.parametrize("name", ["gen_ai.input.messages", "gen_ai.agent.name"])
def test_values_that_nest_deeply_are_kept_and_not_followed(name):
    """5000 levels are beyond what anything follows."""
    bomb = AnyValue(string_value="x").SerializeToString()
    for _ in range(5000):
        inner = b"\x0a" + size(bomb) + bomb
        bomb = b"\x2a" + size(inner) + inner
    key = name.encode()
    pair = b"\x0a" + size(key) + key + b"\x12" + size(bomb) + bomb
    content = framed(span().SerializeToString() + b"\x4a" + size(pair) + pair)

    priced = pipeline().traces(content)

    assert priced.observed[0].cost_nano == COST_NANO
    assert bomb in priced.content


def test_values_that_nest_deeply_in_json_are_kept_and_not_followed():
    """The same in JSON: what cannot be read rejects its span, or the request if nothing can follow it."""
    bomb = b'{"arrayValue":{"values":[' * 200 + b"]}}" * 200
    content = as_json(request(span(CALL | {"user.id": "x"}))).replace(b'{"stringValue": "x"}', bomb)

    priced = pipeline().traces_json(content)

    assert priced.observed[0].cost_nano == COST_NANO
    assert bomb in priced.content


def test_names_inside_a_prompt_are_not_taken_for_attributes():
    """A user must not be able to write the bill."""
    spoof = b"".join(
        pair.SerializeToString() for pair in pairs({"gen_ai.usage.input_tokens": 1, "gen_ai.agent.name": "x"})
    )
    prompt = spoof.decode() + "\n\x19gen_ai.usage.input_tokens"

    priced = pipeline().traces(
        wire(span(CALL | {"gen_ai.input.messages": prompt}), span(HTTP | {"db.query.text": prompt}))
    )

    (observed,) = priced.observed
    assert (observed.cost_nano, observed.tags, priced.inference) == (COST_NANO, {}, 1)


def test_of_an_attribute_that_is_there_twice_the_last_counts():
    """As OpenTelemetry's own SDKs would have it."""
    twice = span()
    twice.attributes.extend(pairs({"gen_ai.usage.input_tokens": 3000}))

    priced, told = pipeline().traces(wire(twice)), pipeline().traces_json(as_json(request(twice)))

    assert priced.observed[0].counts["input_tokens"] == told.observed[0].counts["input_tokens"] == 3000


def test_what_we_do_not_know_is_kept():
    """Fields of later versions, links, events, nested values, URLs of schemas."""
    made = span(trace_state="a=b", flags=257, dropped_attributes_count=3, status=Status(message="m", code=1))
    made.events.add(name="e", attributes=pairs({"n": 1}))
    made.links.add(trace_id=b"1" * 16, span_id=b"2" * 8)
    nested = AnyValue(kvlist_value=KeyValueList(values=pairs({"a": (1, "b", 2.5)})))
    made.attributes.append(KeyValue(key="nested", value=nested))
    whole = request(made)
    whole.resource_spans[0].schema_url = whole.resource_spans[0].scope_spans[0].schema_url = "https://example.com/1"
    later = b"\xfa\x07\x03new"

    priced = pipeline().traces(whole.SerializeToString() + later)

    assert later in priced.content
    result = parsed(priced.content)
    assert result.resource_spans[0].schema_url == result.resource_spans[0].scope_spans[0].schema_url != ""
    only = result.resource_spans[0].scope_spans[0].spans[0]
    del only.attributes[len(made.attributes) :]
    assert only == made


def test_what_we_do_not_know_is_kept_in_json():
    """Fields of later versions, at every level."""
    told = of_json(as_json(request(span())))
    for each in levels(told):
        each["later"] = {"a": [1, None, "😀"]}

    result = of_json(pipeline().traces_json(json.dumps(told).encode()).content)

    del result["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"][len(CALL) :]
    assert result == told


def test_json_takes_numbers_as_text_or_as_numbers():
    """OTLP/JSON writes whole numbers as text, and receivers must take both."""
    told = of_json(as_json(request(span())))
    only = told["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    only["startTimeUnixNano"] = START_NS
    for each in only["attributes"]:
        if "intValue" in each["value"]:
            each["value"]["intValue"] = int(each["value"]["intValue"])

    assert pipeline().traces_json(json.dumps(told).encode()).observed == pipeline().traces(wire(span())).observed


def test_null_in_json_is_what_is_not_there():
    """As in protobuf's own JSON."""
    fields = ("attributes", "status", "parentSpanId", "name")
    content = json.dumps(
        {
            "resourceSpans": [
                {"resource": None, "scopeSpans": [{"scope": None, "spans": [dict.fromkeys(fields)]}, {"spans": None}]},
                {"scopeSpans": None},
            ]
        }
    ).encode()

    assert pipeline().traces_json(content).spans == 1
    assert pipeline().traces_json(b'{"resourceSpans": null}').spans == 0


def test_an_answer_without_usage_is_unpriced_and_not_free():
    """Unknown is not zero."""
    asked = {key: value for key, value in CALL.items() if "usage" not in key}

    priced = pipeline().traces(wire(span(asked)))

    (observed,) = priced.observed
    assert (observed.status, observed.cost_nano, observed.method) == ("unpriced", None, "no-usage-reported")
    assert priced.unpriced == {"no usage": 1}
    assert attributes_in(priced.content) == asked | {
        "llmcost.cost.source": "collector",
        "llmcost.cost.status": "unpriced",
        "llmcost.charge.id": observed.charge_id,
    }


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"gen_ai.request.model": "unheard-of"}, "unknown model"),
        ({"gen_ai.request.model": "one-way"}, "no price for what was used"),
    ],
)
def test_what_has_no_price_is_unpriced_and_says_why(more, reason):
    """Unknown is not zero."""
    one_way = PriceOverride(model="one-way", prices={"input_tokens": Decimal(1)})

    priced = pipeline(one_way).traces(wire(span(CALL | more)))

    (observed,) = priced.observed
    assert (observed.status, observed.cost_nano, priced.unpriced) == ("unpriced", None, {reason: 1})
    assert "gen_ai.usage.cost" not in attributes_in(priced.content)


@pytest.mark.parametrize("how", [{"status": Status(code=2)}, {"attributes": {"error.type": "429"}}])
def test_a_call_that_failed_without_usage_is_no_charge(how):
    """Nobody bills for it."""
    asked = {key: value for key, value in CALL.items() if "usage" not in key}
    failed = span(asked | how.get("attributes", {}), status=how.get("status"))

    priced, told = pipeline().traces(wire(failed)), pipeline().traces_json(as_json(request(failed)))

    for each in (priced, told):
        assert (each.inference, each.observed, each.unpriced) == (1, [], {})


def test_a_call_that_failed_with_usage_is_charged():
    """A stream that broke off was billed until then."""
    priced = pipeline().traces(wire(span(CALL | {"error.type": "timeout"})))

    (observed,) = priced.observed
    assert (observed.cost_nano, observed.error_type) == (COST_NANO, "timeout")


def test_a_cost_that_the_span_tells_wins_and_stays():
    """It is the provider's word; ours would be a second attribute of one name."""
    priced = pipeline().traces(wire(span(CALL | {"gen_ai.usage.cost": 0.5})))

    (observed,) = priced.observed
    assert (observed.cost_nano, observed.list_cost_nano) == (500_000_000, COST_NANO)
    assert (observed.rate_id, observed.rate_source) == (None, "provider")
    assert attributes_in(priced.content)["gen_ai.usage.cost"] == 0.5


def test_nothing_is_written_on_a_span_of_our_own_plugin():
    """It carries its charge already."""
    content = wire(span(CALL | {"test.charge": "019e-own", "llmcost.charge.id": "019e-own", "gen_ai.usage.cost": 0.5}))

    priced = pipeline().traces(content)

    assert priced.content is content
    assert (priced.observed[0].charge_id, priced.observed[0].cost_nano) == ("019e-own", 500_000_000)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"gen_ai.request.model": "unheard-of"},
        {"test.status": "estimated"},
        {"gen_ai.usage.cost": 0.5},
        {"gen_ai.usage.cache_read.input_tokens": 100, "test.semantics": "inferred"},
    ],
    ids=["priced", "unpriced", "estimated", "told", "cached"],
)
@pytest.mark.parametrize("ids", [{}, {"span_id": b"", "trace_id": b""}], ids=["ids", "no-ids"])
def test_two_collectors_in_a_row_charge_once_and_the_same(more, ids):
    """The second finds the first one's charge, whatever its own price book says."""
    first = pipeline().traces(wire(span(CALL | more, **ids)))
    dearer = PriceOverride(model="m", prices={"input_tokens": Decimal(1), "output_tokens": Decimal(1)})

    second = pipeline(dearer).traces(first.content)
    told = pipeline(dearer).traces_json(as_json(parsed(first.content)))

    assert second.content is first.content
    for each in (second, told):
        (observed,) = each.observed
        assert identity(observed) == identity(first.observed[0])
    attributes_in(first.content)


DUPLICATE = {"llmcost.cost.source": "collector", "llmcost.cost.status": "duplicate"}
DEAR = {"gen_ai.usage.cost": 0.5, "llmcost.cost.input": "theirs"}


@pytest.mark.parametrize("more", [{}, {"gen_ai.request.model": "unheard-of"}, DEAR], ids=["priced", "unpriced", "told"])
def test_a_call_that_is_charged_elsewhere_says_where_and_no_cost(more):
    """What its sender wrote stays as it is."""
    content = wire(span(CALL | more), span(CALL, span_id=b"\2" * 8))
    poorer, richer = (each.charge_id for each in pipeline().traces(content).observed)

    priced = pipeline().traces(content, {poorer: richer, "another": "one"})
    told = pipeline().traces_json(as_json(parsed(content)), {poorer: richer})

    assert of_json(told.content) == of_json(as_json(parsed(priced.content)))
    first, second = spans_in(priced.content)
    assert attributes_in(wire(first)) == CALL | more | DUPLICATE | {"llmcost.charge.id": richer}
    assert attributes_in(wire(second))["gen_ai.usage.cost"] == COST_NANO / 1e9


def test_what_a_collector_found_charged_elsewhere_is_no_charge_of_the_next():
    """It stays as the first one wrote it, whoever is told of it again."""
    content = wire(span(), span(CALL, span_id=b"\2" * 8))
    poorer, richer = (each.charge_id for each in pipeline().traces(content).observed)
    first = pipeline().traces(content, {poorer: richer}).content

    second, told = pipeline().traces(first), pipeline().traces_json(as_json(parsed(first)))

    assert second.content is first
    assert [each.charge_id for each in second.observed] == [each.charge_id for each in told.observed] == [richer]
    assert (second.inference, second.unpriced) == (1, {})


@pytest.mark.parametrize("own", [{"llmcost.cost.status": "mine"}, {"llmcost.cost.status": 7}])
def test_no_name_is_written_twice_where_a_call_is_charged_elsewhere(own):
    """Whatever somebody put there; a collector behind us then still finds one charge of the call."""
    content = wire(span(CALL | own))
    (poorer,) = pipeline().traces(content).observed

    first = pipeline().traces(content, {poorer.charge_id: "richer"}).content

    assert attributes_in(first)["llmcost.charge.id"] == "richer"
    assert [each.charge_id for each in pipeline().traces(first).observed] == ["richer"]


def test_our_own_plugins_span_stays_whoever_else_is_charged():
    """It is the plugin's to say what it cost."""
    content = wire(span(CALL | {"test.charge": "019e-own", "llmcost.charge.id": "019e-own"}))

    assert pipeline().traces(content, {"019e-own": "another"}).content is content


def test_what_another_collector_wrote_cannot_break_ours():
    """Anybody may write such attributes."""
    odd = {
        "llmcost.cost.source": "collector",
        "llmcost.charge.id": 7,
        "llmcost.cost.total": "much",
        "llmcost.cost.status": (1,),
    }

    (observed,) = pipeline().traces(wire(span(CALL | odd))).observed

    assert (observed.cost_nano, observed.status) == (COST_NANO, "confirmed")
    assert observed.charge_id == "019e7044887b00010203040506070e0f"


def test_an_estimate_does_not_stand_under_the_names_of_what_was_told():
    """Whoever reads those takes them for what the provider told."""
    written = attributes_in(pipeline().traces(wire(span(CALL | {"test.status": "estimated"}))).content)

    assert written["llmcost.estimated.cost"] == 0.002
    assert written["llmcost.cost.status"] == "estimated"
    assert not {"gen_ai.usage.cost", "llmcost.cost.input"} & set(written)


def test_what_is_out_of_the_ordinary_is_written_on():
    """A tier, a guess, and cached input that was told beside the rest."""
    prices = {"input_tokens": Decimal("0.000001"), "output_tokens": Decimal("0.000002")}
    flex = PriceOverride(model="m", prices=prices, tier="flex")
    odd = {"test.tier": "flex", "test.method": "guessed", "test.semantics": "exclusive"}

    written = attributes_in(pipeline(flex).traces(wire(span(CALL | odd))).content)

    assert written["llmcost.price.tier"] == "flex"
    assert written["llmcost.tokens.method"] == "guessed"
    assert written["llmcost.tokens.input_semantics"] == "exclusive"


def test_what_is_written_is_bounded_in_memory(monkeypatch):
    """What it depends on comes from whoever sends spans."""
    monkeypatch.setattr(observing, "_MOST_LAYOUTS", 2)
    fast = pipeline()

    written = [
        attributes_in(fast.traces(wire(span(CALL | {"test.method": f"m{number}"}))).content) for number in range(5)
    ]

    assert [each["llmcost.tokens.method"] for each in written] == [f"m{number}" for number in range(5)]


def test_parts_that_cost_nothing_are_left_out():
    """As on the plugin's own spans."""
    written = attributes_in(pipeline().traces(wire(span(CALL | {"gen_ai.usage.cache_read.input_tokens": 0}))).content)

    assert written["llmcost.cost.input"] == pytest.approx(0.001)
    assert "llmcost.cost.cache_read" not in written


def test_the_call_and_its_time_are_counted_where_a_rate_is_for_them():
    """No span reports that, and the rate has a price for it."""
    own = {"requests": Decimal("0.005"), "gpu_milliseconds": Decimal("0.000001"), "input_tokens": Decimal("0.000001")}

    (observed,) = (
        pipeline(PriceOverride(model="m", prices=own | {"output_tokens": Decimal("0.000002")}))
        .traces(wire(span()))
        .observed
    )

    assert (observed.counts["requests"], observed.counts["gpu_milliseconds"]) == (1, 1500)
    assert observed.cost_nano == COST_NANO + 5_000_000 + 1_500_000


def test_a_discount_is_in_the_cost_and_not_in_the_list_cost():
    """FOCUS tells them apart."""
    (observed,) = pipeline(PriceOverride(model="m", prices={}, discount=Decimal("0.25"))).traces(wire(span())).observed

    assert (observed.cost_nano, observed.list_cost_nano) == (1_500_000, COST_NANO)


def test_a_rate_holds_from_its_day_on():
    """Late spans are priced by the time of the call."""
    from datetime import UTC, datetime

    since = datetime.fromtimestamp(START_NS / 1e9, UTC)
    prices = {"input_tokens": Decimal("0.00001"), "output_tokens": Decimal("0.000002")}
    dearer = PriceOverride(model="m", prices=prices, valid_from=since)
    fast = pipeline(dearer)

    costs = [
        fast.traces(wire(span(start_time_unix_nano=START_NS + seconds * 10**9))).observed[0].cost_nano
        for seconds in (60, -60, 60)
    ]

    assert costs == [11_000_000, COST_NANO, 11_000_000]


def test_another_price_book_is_taken_at_once():
    """Prices are changed while the collector runs."""
    fast = pipeline()
    fast.traces(wire(span()))

    fast.use(PriceBook())

    assert fast.traces(wire(span())).unpriced == {"unknown model": 1}


def test_the_model_that_answered_is_priced_else_the_one_asked_for():
    """A name nobody knows says nothing."""
    fast = pipeline(
        PriceOverride(model="served", prices={"input_tokens": Decimal("0.001"), "output_tokens": Decimal(0)})
    )

    costs = [
        fast.traces(wire(span(CALL | {"gen_ai.response.model": model}))).observed[0].cost_nano
        for model in ("served", "unheard-of", "m")
    ]

    assert costs == [10**9, COST_NANO, COST_NANO]


@pytest.mark.parametrize(
    ("start", "end", "at_us", "duration_us"),
    [
        (0, START_NS, START_NS // 1000, 0),
        (0, 0, 946_684_800_000_000, 0),
        (2**64 - 1, 2**64 - 1, 4_102_444_799_999_999, 0),
        (START_NS, 0, START_NS // 1000, 0),
        (START_NS, 2**64 - 1, START_NS // 1000, 0),
    ],
)
def test_a_time_that_cannot_be_is_clamped_and_always_to_the_same(start, end, at_us, duration_us):
    """A charge has a time that ledgers take, and a span that is sent again has the same id."""
    odd = span(start_time_unix_nano=start, end_time_unix_nano=end)

    first, again = pipeline().traces(wire(odd)).observed, pipeline().traces_json(as_json(request(odd))).observed

    assert first == again
    assert (first[0].at_us, first[0].duration_us) == (at_us, duration_us)
    assert first[0].charge().at.year >= 2000


@pytest.mark.parametrize("ids", [{"span_id": b""}, {"span_id": bytes(8)}, {"span_id": b"1"}, {"trace_id": b"2"}])
def test_a_span_without_ids_is_charged_once(ids):
    """It is told from others by what it is."""
    odd, other = span(**ids), span(CALL | {"user.id": "another"}, **ids)

    first, second = pipeline().traces(wire(odd, other)).observed
    (again,) = pipeline().traces(wire(odd)).observed

    assert first == again
    assert len(first.charge_id) == len(first.trace_id) == 32
    assert (first.span_id != second.span_id) is ("span_id" in ids)


def test_no_text_is_longer_than_is_kept():
    """Senders must not fill the ledger."""
    long = {"user.id": "u" * 10_000, "gen_ai.request.model": "m" * 300, "gen_ai.response.id": "é" * 300}

    for observed in pipeline(most_text=100).traces(wire(span(CALL | long), span())).observed[:1]:
        assert (len(observed.tags["user"]), len(observed.requested_model), len(observed.response_id)) == (100, 100, 100)


def test_a_text_that_no_database_takes_is_made_one():
    """PostgreSQL takes no NUL."""
    made = span(CALL | {"user.id": "a\0b", "gen_ai.agent.name": "x" * 200 + "\0"})

    priced, told = pipeline().traces(wire(made)), pipeline().traces_json(as_json(request(made)))

    assert priced.observed == told.observed
    assert priced.observed[0].tags == {"user": "a�b", "agent": "x" * 200 + "�"}


def test_spans_of_many_shapes_are_each_read_by_their_own():
    """As many attributes as another span has are not the same attributes."""
    kinds = [
        CALL | {"user.id": "u"},
        CALL | {"gen_ai.agent.name": "a"},
        CALL | {"x": 1},
        dict.fromkeys("abcdef", "gen_ai"),
    ]
    spans = [span(kinds[number % 4] | {"n": number}) for number in range(40)]

    priced = pipeline().traces(wire(*spans))

    assert priced.inference == 30
    assert [each.tags for each in priced.observed[:3]] == [{"user": "u"}, {"agent": "a"}, {}]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_request_is_malformed_or_priced_and_nothing_else(data):
    """Bytes are changed, left out and put in at any place."""
    content = bytearray(wire(span(CALL | {"user.id": "u"}), span(HTTP), span()))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))

    check_survives(pipeline().traces, bytes(content))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_request_in_json_is_malformed_or_priced_and_nothing_else(data):
    """Bytes are changed, left out and put in at any place."""
    content = bytearray(as_json(request(span(CALL | {"user.id": "u"}), span(HTTP), span())))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))

    check_survives(pipeline().traces_json, bytes(content))


def check_survives(price, content):
    try:
        priced = price(content)
    except MalformedError:
        return
    for observed in priced.observed:
        observed.charge()
        assert len(observed.charge_id) == 32
    assert priced.inference + priced.rejected <= priced.spans


def identity(observed):
    """Return what makes one charge of two."""
    return observed.charge_id, observed.cost_nano, observed.status, observed.counts, observed.at_us


def parsed(content):
    return ExportTraceServiceRequest.FromString(content)


def framed(*spans):
    """Make a request of spans as bytes."""
    scope = b"".join(b"\x12" + size(each) + each for each in spans)
    resource = b"\x12" + size(scope) + scope
    return b"\x0a" + size(resource) + resource


def size(content):
    from otel_llmcost_collector.otlp.splice import varint

    return varint(len(content))


def levels(told):
    (of_resource,) = told["resourceSpans"]
    (of_scope,) = of_resource["scopeSpans"]
    return told, of_resource, of_scope, of_scope["spans"][0], of_resource["resource"], of_scope["scope"]


class _Moody:
    """A reader that fails on one span."""

    def __init__(self, reader):
        self.wanted = reader.wanted
        self._reader = reader

    def read(self, name, values, around):
        if name == "bad":
            raise ZeroDivisionError
        return self._reader.read(name, values, around)


def test_a_span_that_we_fail_on_is_handed_on_and_keeps_no_other_from_being_priced():
    """A fault of ours is no reason to lose a batch, nor to have its sender send it again for ever."""
    content = wire(span(span_id=b"1" * 8), span(name="bad"), span(span_id=b"2" * 8))
    moody = Pipeline(book(), readers=lambda scope, keys: (found := reader_for(scope, keys)) and _Moody(found))

    priced = moody.traces(content)

    assert [each.cost_nano for each in priced.observed] == [COST_NANO] * 2
    assert (priced.inference, priced.rejected, priced.spans) == (2, 1, 3)
