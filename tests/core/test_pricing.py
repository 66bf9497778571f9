"""Estimates and charges, worked by hand: model m costs 1 USD per million tokens in and 2 out, at most 1,000 out."""

from decimal import Decimal

import pytest

from otel_llmcost.core.flow import Answer, Failure
from otel_llmcost.core.outputs import FIRST_GUESS, Outputs
from otel_llmcost.core.overrides import PriceOverride
from otel_llmcost.core.pricing import Pricing
from otel_llmcost.core.rates import breakdown_nano
from otel_llmcost.core.tokens import InputCount
from tests.core.calls import answer, book, call, charge, used

WITHOUT_PRICE = "nobody-knows"


def pricing(learned=None, **how):
    return Pricing(book(), learned, **how)


def priced(asked, got, **how):
    """Charge an answer the way a flow does."""
    prices = pricing(**how)
    return prices.charge(asked, got, prices.estimate(asked))


@pytest.mark.parametrize(
    ("facts", "expected_nano", "worst_nano", "is_capped"),
    [
        pytest.param({}, 1_000_000 + FIRST_GUESS * 2000, 1_000_000 + 1000 * 2000, False, id="up-to-the-model's-most"),
        pytest.param({"max_output_tokens": 700}, 2_000_000, 2_400_000, True, id="up-to-what-the-caller-allows"),
        pytest.param({"max_output_tokens": 200}, 1_400_000, 1_400_000, True, id="never-more-expected-than-allowed"),
        pytest.param({"choices": 3}, 4_000_000, 7_000_000, False, id="each-choice-is-paid"),
        pytest.param({"choices": 3, "max_output_tokens": 200}, 2_200_000, 2_200_000, True, id="choices-up-to-a-most"),
        pytest.param({"model": "m-boundless"}, 2_000_000, 9_192_000, False, id="4096-where-nobody-says-a-most"),
        pytest.param({"tier": "batch"}, 1_000_000, 1_500_000, False, id="half-the-price-in-a-batch"),
        pytest.param({"tier": "flex"}, 2_000_000, 3_000_000, False, id="standard-where-a-tier-has-no-price"),
        pytest.param({"model": "embed", "has_output": False}, 1_000_000, 1_000_000, True, id="embeddings-cost-input"),
    ],
)
def test_an_estimate_is_what_a_call_will_likely_and_at_most_cost(facts, expected_nano, worst_nano, is_capped):
    estimate = pricing().estimate(call(**facts))

    assert (estimate.expected_nano, estimate.worst_nano, estimate.is_capped) == (expected_nano, worst_nano, is_capped)
    assert estimate.input_tokens == 1000


def test_who_sells_a_call_without_a_price_need_not_sell_the_model_that_is_assumed():
    """A server of one's own, priced as if its answers came from a provider."""
    asked = call(provider="house", model=WITHOUT_PRICE)
    spent = charge(provider="house", requested_model=WITHOUT_PRICE)

    assert pricing().estimate(asked, "m-large").expected_nano == 20_000_000
    assert pricing().cost_at("m-large", spent) is not None
    assert pricing().estimate(asked, WITHOUT_PRICE).expected_nano is None


def test_a_call_can_be_estimated_at_another_models_price():
    estimate = pricing().estimate(call(model=WITHOUT_PRICE), "m-large")

    assert (estimate.expected_nano, estimate.worst_nano) == (20_000_000, 30_000_000)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"model": WITHOUT_PRICE}, id="an-unknown-model"),
        pytest.param({"model": "embed"}, id="output-that-has-no-price"),
        pytest.param({"model": ""}, id="no-model"),
    ],
)
def test_what_has_no_price_has_no_estimate(facts):
    assert pricing().estimate(call(**facts)).expected_nano is None


@pytest.mark.parametrize(
    ("asked", "got", "cost_nano", "rate_id"),
    [
        pytest.param({}, answer(1000, 500), 2_000_000, "acme/m", id="as-reported"),
        pytest.param({}, answer(7, 0), 7_000, "acme/m", id="to-the-nano"),
        pytest.param(
            {}, answer(1000, 500, served_model="m-large"), 20_000_000, "acme/m-large", id="the-one-that-served"
        ),
        pytest.param(
            {"model": "m-large"}, answer(1000, 500, served_model="m"), 2_000_000, "acme/m", id="a-cheaper-one"
        ),
        pytest.param(
            {}, answer(1000, 500, served_model="m-2026-01-01"), 2_000_000, "acme/m", id="asked-for-if-server-unknown"
        ),
        pytest.param({"tier": "batch"}, answer(1000, 500), 1_000_000, "acme/m:batch", id="the-tier-asked-for"),
        pytest.param({"tier": "batch"}, answer(1000, 500, tier="default"), 2_000_000, "acme/m", id="the-tier-served"),
        pytest.param({}, answer(1000, 500, tier="flex"), 2_000_000, "acme/m", id="standard-for-a-tier-without-price"),
    ],
)
def test_a_reported_usage_is_priced_at_the_rate_of_who_answered(asked, got, cost_nano, rate_id):
    made = priced(call(**asked), got)

    assert (made.cost_nano, made.list_cost_nano, made.rate_id) == (cost_nano, cost_nano, rate_id)
    assert (made.status, made.method, made.rate_source) == ("confirmed", "reported", "test 1")
    assert sum(breakdown_nano(made.usage, made.rate).values()) == cost_nano


def test_a_charge_says_all_that_is_known_of_its_call():
    got = answer(1000, 500, served_model="m", response_id="r-1", duration_seconds=2.5)

    made = priced(call(trace_id="t", span_id="s"), got)

    assert made == charge(
        duration_seconds=2.5,
        tags={"agent": "planner", "provider": "acme", "model": "m"},
        served_model="m",
        response_id="r-1",
        trace_id="t",
        span_id="s",
        estimate_nano=2_000_000,
    )


def test_a_discount_is_taken_off_the_list_price():
    discounted = book().with_overrides([PriceOverride(model="m", prices={}, discount=Decimal("0.1"))])

    made = Pricing(discounted).charge(call(), answer(1000, 500), None)

    assert (made.cost_nano, made.list_cost_nano) == (1_800_000, 2_000_000)


def test_a_tool_call_without_a_price_leaves_the_tokens_priced():
    made = priced(call(), Answer(usage=used(1000, 500, web_searches=2)))

    assert (made.status, made.cost_nano, made.list_cost_nano) == ("confirmed", 2_000_000, 2_000_000)


@pytest.mark.parametrize(
    ("got", "tokens", "method"),
    [
        pytest.param(answer(received_tokens=300.4), (1000, 300), "no-usage-reported", id="whole-without-usage"),
        pytest.param(
            answer(received_tokens=300.4, is_complete=False, error_type="ReadError"),
            (1000, 300),
            "stream-ended-early",
            id="cut-off-without-usage",
        ),
        pytest.param(
            answer(1200, 5, received_tokens=300, is_complete=False),
            (1200, 300),
            "stream-ended-early",
            id="cut-off-after-a-first-report-of-input",
        ),
        pytest.param(
            answer(1200, 400, received_tokens=300, is_complete=False),
            (1200, 400),
            "stream-ended-early",
            id="more-reported-than-was-seen",
        ),
    ],
)
def test_an_answer_without_all_of_its_usage_is_charged_by_what_was_sent_and_received(got, tokens, method):
    made = priced(call(), got)

    assert (made.usage.input_tokens, made.usage.output_tokens) == tokens
    assert made.cost_nano == tokens[0] * 1000 + tokens[1] * 2000
    assert (made.status, made.method, made.error_type) == ("estimated", method, got.error_type)


def test_a_failure_that_may_be_billed_is_suspected_at_its_estimate():
    prices, asked = pricing(), call()
    failure = Failure(error=TimeoutError(), may_be_billed=True, duration_seconds=30.0)

    made = prices.charge_of_failure(asked, failure, prices.estimate(asked))

    assert (made.status, made.method, made.cost_nano) == ("suspected", "no-answer-seen", 2_000_000)
    assert (made.error_type, made.duration_seconds) == ("TimeoutError", 30.0)


def test_a_failure_that_was_not_sent_costs_nothing():
    assert pricing().charge_of_failure(call(), Failure(error=OSError(), may_be_billed=False), None) is None


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(priced(call(model=WITHOUT_PRICE), answer(1000, 500)), id="answered"),
        pytest.param(priced(call(model=WITHOUT_PRICE), answer(received_tokens=9)), id="answered-without-usage"),
    ],
)
def test_what_has_no_price_is_unpriced_and_never_free(made):
    assert (made.status, made.cost_nano, made.list_cost_nano, made.rate_id) == ("unpriced", None, None, None)
    assert made.usage.input_tokens == 1000
    assert made.rate is None


def test_a_failed_call_without_a_price_is_unpriced():
    failure = Failure(error=TimeoutError(), may_be_billed=True)

    made = pricing().charge_of_failure(call(model=WITHOUT_PRICE), failure, None)

    assert (made.status, made.cost_nano, made.usage.input_tokens) == ("unpriced", None, 1000)


def test_a_charge_without_a_price_counts_at_another_models():
    unpriced = priced(call(model=WITHOUT_PRICE), answer(1000, 500))

    assert pricing().cost_at("m-large", unpriced) == 20_000_000
    assert pricing().cost_at(WITHOUT_PRICE, unpriced) is None
    assert pricing().cost_at("embed", unpriced) is None


TEXT = {"input": InputCount(1000.0)}


def test_the_first_report_corrects_the_count_of_the_next_call():
    """The rule counted 1,000 tokens of text, the provider 2,000."""
    prices = pricing()

    prices.charge(call(**TEXT), answer(2000, 10), None)

    assert prices.factor("m") == pytest.approx(2.0)
    assert prices.estimate(call(**TEXT)).input_tokens == pytest.approx(2000, abs=1)
    assert prices.factor("m-large") == pricing().factor("m-large")


def test_what_exact_counts_teach_is_kept_apart_from_what_the_rule_does():
    """A tokeniser counts nearly right, so what corrects the rule would spoil it."""
    kept = {}
    by_rule = pricing(keep=kept.update)
    by_rule.charge(call(model="gpt-4o", **TEXT), answer(2000, 10), None)
    exact = pricing(kept, keep=kept.update, is_exact=True)
    assert exact.factor("gpt-4o") == 1.0

    exact.charge(call(model="gpt-4o", **TEXT), answer(1100, 10), None)

    assert pricing(kept, is_exact=True).factor("gpt-4o") == pytest.approx(1.1)
    assert pricing(kept).factor("gpt-4o") == pytest.approx(2.0)


def test_answers_teach_how_long_the_next_will_be():
    """What is expected is kept at hand until the next answer teaches more."""
    prices, known, expected = pricing(), Outputs(), []

    for _ in range(3):
        expected += [prices.estimate(call()).expected_output_tokens for _ in range(2)]
        prices.charge(call(), answer(1000, 80), None)
        known = known.seen(80)

    assert expected == [FIRST_GUESS] * 2 + [Outputs().seen(80).high()] * 2 + [Outputs().seen(80).seen(80).high()] * 2
    assert prices.estimate(call()).expected_output_tokens == known.high()


def test_each_of_several_choices_counts_as_an_answer():
    prices = pricing()

    prices.charge(call(choices=4), answer(1000, 400), None)

    assert prices.estimate(call()).expected_output_tokens == Outputs().seen(100).high()


@pytest.mark.parametrize(
    "other", [{"tags": {"agent": "writer"}}, {"tags": {"agent": "planner", "feature": "x"}}, {"model": "m-large"}]
)
def test_answers_to_one_agent_say_nothing_of_anothers(other):
    prices = pricing()

    prices.charge(call(), answer(1000, 80), None)

    assert prices.estimate(call(**other)).expected_output_tokens == FIRST_GUESS


@pytest.mark.parametrize("got", [answer(received_tokens=80), answer(1000, 80, is_complete=False)])
def test_an_answer_that_is_not_whole_teaches_nothing(got):
    taught = []

    priced(call(), got, keep=taught.append)

    assert taught == []


def test_embeddings_teach_no_length_of_answers():
    taught = []

    priced(call(model="embed", has_output=False, **TEXT), answer(1500), keep=taught.append)

    assert [list(each) for each in taught] == [["factor:embed"]]


def test_what_was_kept_is_all_that_the_next_process_needs():
    kept = {}
    before = pricing(keep=kept.update)
    for size in (40, 80, 160):
        before.charge(call(**TEXT), answer(1500, size), None)

    after = pricing(kept)

    assert after.estimate(call(**TEXT)) == before.estimate(call(**TEXT)) != pricing().estimate(call(**TEXT))
    assert after.factor("m") == before.factor("m")


def test_many_answers_later_the_estimate_still_follows():
    prices = pricing()
    for size in [100] * 100 + [300] * 1000:
        prices.charge(call(), answer(1000, size), None)

    assert 300 <= prices.estimate(call()).expected_output_tokens <= 500


def test_usage_without_tokens_of_a_known_model_costs_nothing():
    """Such as an answer that a provider serves from a cache and says is free."""
    made = priced(call(), answer(0, 0))

    assert (made.status, made.cost_nano, made.usage) == ("confirmed", 0, used())


@pytest.mark.parametrize(
    ("asked", "listed_nano"),
    [
        pytest.param({}, 2_000_000, id="beside-the-book's"),
        pytest.param({"model": WITHOUT_PRICE}, None, id="where-the-book-has-none"),
    ],
)
def test_what_the_provider_says_it_bills_is_the_cost(asked, listed_nano):
    made = priced(call(**asked), answer(1000, 500, cost_nano=1_234_567))

    assert (made.status, made.cost_nano, made.list_cost_nano) == ("confirmed", 1_234_567, listed_nano)
    assert (made.rate_source, made.rate_id, made.rate) == ("provider", None, None)


def test_a_providers_word_that_a_call_was_free_is_no_lack_of_a_price():
    made = priced(call(model=WITHOUT_PRICE), answer(1000, 500, cost_nano=0))

    assert (made.status, made.cost_nano) == ("confirmed", 0)


def test_a_price_per_call_is_paid_once_a_call_though_no_answer_reports_it():
    """1,000 tokens at 1 USD and 500 at 2 USD per million, and 5 USD per 1,000 calls: 0.002 + 0.005."""
    fee = PriceOverride(model="m", prices={"requests": Decimal("0.005")})

    made = Pricing(book().with_overrides([fee])).charge(call(), answer(1000, 500), None)

    assert (made.cost_nano, made.usage["requests"]) == (7_000_000, 1)


@pytest.mark.parametrize(
    ("got", "seconds", "cost_nano"),
    [
        pytest.param(answer(1000, 500, duration_seconds=2.5), 2.5, 2_500_000, id="answered"),
        pytest.param(answer(duration_seconds=0.25, received_tokens=9), 0.25, 250_000, id="without-a-usage"),
    ],
)
def test_a_call_on_ones_own_gpu_costs_the_time_it_took(got, seconds, cost_nano):
    """3.60 USD an hour are 0.001 USD a second; the tokens are paid with it."""
    own = PriceOverride(model="llama*", provider="ollama", prices={"gpu_milliseconds": Decimal("0.000001")})

    made = Pricing(book().with_overrides([own])).charge(call(provider="ollama", model="llama3.2"), got, None)

    assert (made.cost_nano, made.usage["gpu_milliseconds"]) == (cost_nano, seconds * 1000)
    assert breakdown_nano(made.usage, made.rate) == {"other": cost_nano}


def on_own_gpu(**how):
    own = PriceOverride(model="llama*", prices={"gpu_milliseconds": Decimal("0.000001")}, is_self_hosted=True)
    return Pricing(book().with_overrides([own]), **how)


def test_the_time_a_call_will_take_on_ones_own_gpu_is_learned_from_those_before():
    """0.001 USD a second: a guess of ten seconds at first; after calls of one second, little more than one."""
    kept = {}
    prices = on_own_gpu(keep=kept.update)
    asked = call(model="llama3.2")

    first = prices.estimate(asked)
    for _ in range(100):
        prices.charge(asked, answer(1000, 500, duration_seconds=1.0), first)
    later = on_own_gpu(learned=kept).estimate(asked)

    assert first.expected_nano == 10_000_000
    assert 1_000_000 <= later.expected_nano <= 1_100_000
    assert later.worst_nano == later.expected_nano


def test_of_ever_more_callers_times_are_not_kept():
    prices = on_own_gpu(learned={f"milliseconds:{number}": (1.0, 1.0, 1.0) for number in range(10_000)})

    made = prices.charge(call(model="llama3.2"), answer(1000, 500, duration_seconds=1.0), None)

    assert made.cost_nano == 1_000_000


def test_a_price_per_call_is_expected_too():
    fee = PriceOverride(model="m", prices={"requests": Decimal("0.005")})

    expected = Pricing(book().with_overrides([fee])).estimate(call(max_output_tokens=0, has_output=False))

    assert expected.expected_nano == 6_000_000


def test_an_answer_nobody_measured_is_charged_by_what_was_expected():
    prices = Pricing(book())
    expected = prices.estimate(call())

    made = prices.charge(call(), answer(), expected)

    assert (made.status, made.usage.output_tokens) == ("estimated", expected.expected_output_tokens)
    assert made.cost_nano == expected.expected_nano
