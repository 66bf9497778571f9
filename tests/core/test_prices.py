"""Finding the rate of a model at an instant."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from otel_llmcost.core.listing import Listing, ModelPrices, PriceRow, Provider
from otel_llmcost.core.matching import NameRule
from otel_llmcost.core.overrides import PriceOverride
from otel_llmcost.core.prices import PriceBook, SoldModel, price
from otel_llmcost.core.usage import Usage
from otel_llmcost.errors import UnknownPriceError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def day(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def row(tier="standard", start=None, hours=None, days=None, times=1, source="", **prices):
    steps = {unit: ((0, Decimal(amount)),) if isinstance(amount, int) else amount for unit, amount in prices.items()}
    return PriceRow(
        prices=steps,
        tier=tier,
        valid_from=start and day(start),
        hours=hours,
        days=days,
        times=Decimal(times),
        source=source,
    )


NO_RULE = NameRule()


def provider(name, models, resells=(), sells=NO_RULE):
    def listing(model, rows):
        prices = ModelPrices(provider=name, model=model, rows=tuple(rows), max_output_tokens=100)
        return Listing(model=model, names=NameRule(equals=frozenset({model})), prices=lambda: prices)

    listings = [listing(model, rows) for model, rows in models.items()]
    return Provider(provider=name, names=NO_RULE, sells=sells, resells=resells, listings=lambda: listings)


def book(*rows, overrides=()):
    return PriceBook([provider("acme", {"m": rows})], source="test 1").with_overrides(overrides)


def override(model="m", **facts):
    prices = {unit: Decimal(amount) for unit, amount in facts.pop("prices", {}).items()}
    return PriceOverride(model=model, prices=prices, **facts)


def input_price(rates, at=NOW, model="m", **how):
    return rates.rate_at("acme", model, at, **how).prices["input_tokens"]


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2020-01-01", 10), ("2025-06-09T23:59:59", 10), ("2025-06-10", 2), ("2026-01-01", 2)],
)
def test_a_price_counts_from_its_day_on(at, expected):
    assert input_price(book(row(input_tokens=10), row(start="2025-06-10", input_tokens=2)), day(at)) == expected


def test_the_first_price_counts_before_any_is_dated():
    assert input_price(book(row(start="2025-06-10", input_tokens=10)), day("2020-01-01")) == 10


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        pytest.param((30, 990), "2026-11-22T00:30", 2, id="start-included"),
        pytest.param((30, 990), "2026-11-22T16:30", 1, id="end-not"),
        pytest.param((990, 30), "2026-11-22T23:00", 2, id="over-midnight-before"),
        pytest.param((990, 30), "2026-11-22T00:29", 2, id="over-midnight-after"),
        pytest.param((990, 30), "2026-11-22T12:00", 1, id="over-midnight-outside"),
    ],
)
def test_hours_of_the_day_count_in_utc(hours, at, expected):
    assert input_price(book(row(input_tokens=1), row(hours=hours, input_tokens=2)), day(at)) == expected


def test_what_was_found_for_one_instant_is_not_used_for_another():
    """Rates are remembered for as long as nothing changes about them, in either direction of time."""
    rates = book(row(input_tokens=10), row(start="2025-06-10", input_tokens=2), row(hours=(60, 120), input_tokens=7))

    asked = ["2026-01-01T00:59", "2026-01-01T01:00", "2026-01-01T02:00", "2025-06-09T12:00", "2026-01-02T01:30"]
    assert [input_price(rates, day(at)) for at in asked] == [2, 7, 2, 10, 7]


@pytest.mark.parametrize(("input_tokens", "expected"), [(0, 1), (200, 1), (201, 2), (500, 2), (501, 3)])
def test_a_long_request_is_priced_whole_at_its_band(input_tokens, expected):
    steps = ((0, Decimal(1)), (200, Decimal(2)), (500, Decimal(3)))
    rates = book(row(input_tokens=steps, output_tokens=((0, Decimal(5)), (200, Decimal(6)))))

    rate = rates.rate_at("acme", "m", NOW, input_tokens=input_tokens)

    assert rate.prices["input_tokens"] == expected
    assert rate.prices["output_tokens"] == (5 if expected == 1 else 6)


def test_a_tier_has_its_own_prices_over_the_standard_ones():
    rate = book(row(input_tokens=4, output_tokens=8), row("batch", input_tokens=2)).rate_at(
        "acme", "m", NOW, tier="batch"
    )

    assert rate.prices == {"input_tokens": 2, "output_tokens": 8}
    assert (rate.tier, rate.is_tier_assumed) == ("batch", False)


@pytest.mark.parametrize("tier", ["flex", "batch"])
def test_a_tier_without_a_price_is_priced_as_standard_and_says_so(tier):
    """Here flex has none at all, and batch none yet."""
    rate = book(row(input_tokens=4), row("batch", start="2027-01-01", input_tokens=2)).rate_at(
        "acme", "m", NOW, tier=tier
    )

    assert (rate.prices["input_tokens"], rate.tier, rate.is_tier_assumed) == (4, "standard", True)


@pytest.mark.parametrize("tier", ["standard", "default", "auto", "DEFAULT", "", "on_demand", "standard_only", "global"])
def test_many_words_mean_the_standard_tier(tier):
    assert not book(row(input_tokens=4)).rate_at("acme", "m", NOW, tier=tier).is_tier_assumed


def test_of_a_tiers_rows_the_first_that_holds_counts_unit_by_unit():
    rows = [
        row(input_tokens=4, output_tokens=9),
        row("batch", start="2027-01-01", input_tokens=3),
        row("batch", input_tokens=2),
        row("batch", input_tokens=1, output_tokens=5),
    ]

    assert book(*rows).rate_at("acme", "m", NOW, tier="batch").prices == {"input_tokens": 2, "output_tokens": 5}


def test_a_rate_says_where_it_is_from():
    rate = book(row(input_tokens=10), row(start="2025-06-10", input_tokens=2)).rate_at("acme", "m", NOW)

    assert (rate.rate_id, rate.source, rate.valid_from) == ("acme/m@2025-06-10", "test 1", day("2025-06-10"))
    assert (rate.provider, rate.model, rate.max_output_tokens) == ("acme", "m", 100)


def test_rate_ids_tell_date_hours_tier_and_band_apart():
    rows = [
        row(input_tokens=((0, Decimal(1)), (200, Decimal(2)))),
        row(start="2025-01-01", input_tokens=3),
        row(hours=(60, 120), input_tokens=4),
        row("batch", input_tokens=1),
    ]

    shown = {rate.rate_id: rate.prices["input_tokens"] for rate in book(*rows).show("acme", "m")}

    assert shown == {
        "acme/m": 1,
        "acme/m>200": 2,
        "acme/m@2025-01-01": 3,
        "acme/m@01:00-02:00": 4,
        "acme/m:batch": 1,
        "acme/m@2025-01-01:batch": 1,
        "acme/m@01:00-02:00:batch": 1,
    }


@pytest.mark.parametrize(("who", "model"), [("acme", "n"), ("nobody", "m"), ("", "m"), ("", "acme/n"), ("acme", "")])
def test_an_unknown_name_stays_unknown(who, model):
    rates = book(row(input_tokens=1))

    for _ in range(2):  # found out, and remembered
        with pytest.raises(UnknownPriceError) as caught:
            rates.rate_at(who, model, NOW)

    assert (caught.value.provider, caught.value.model) == (who, model)
    assert rates.find(who, model) is None
    assert rates.show(who, model) == []


def test_a_model_that_is_listed_without_a_price_has_none():
    with pytest.raises(UnknownPriceError):
        book(row()).rate_at("acme", "m", NOW)


@pytest.mark.parametrize(
    ("who", "model"),
    [
        ("acme", "m"),
        (" ACME ", " M "),
        ("acme", "acme/m"),
        ("acme", "models/m"),
        ("acme", "acme/models/m"),
        ("", "acme/m"),
        ("litellm", "acme/m"),
    ],
)
def test_a_name_is_found_however_it_is_dressed(who, model):
    assert book(row(input_tokens=1)).find(who, model) == SoldModel("acme", "m")


def test_another_providers_prefix_is_no_part_of_a_hosts_model():
    rates = PriceBook([provider("acme", {"m": [row(input_tokens=1)]}), provider("host", {})])

    assert rates.find("host", "acme/m") is None


def test_who_sells_a_model_is_told_by_its_name_if_nobody_says_so():
    rates = PriceBook([provider("acme", {"acme-1": [row(input_tokens=1)]}, sells=NameRule(starts=("acme-",)))])

    assert rates.find("", "acme-1") == SoldModel("acme", "acme-1")


def test_a_reseller_asks_the_makers_price_but_not_the_makers_tiers():
    maker = provider("acme", {"m": [row(input_tokens=4), row("batch", input_tokens=2)]})
    rates = PriceBook([maker, provider("shop", {"own": [row(input_tokens=1)]}, resells=("acme",))])

    rate = rates.rate_at("shop", "m", NOW, tier="batch")

    assert (rate.rate_id, rate.prices["input_tokens"], rate.is_tier_assumed) == ("acme/m", 4, True)
    assert rates.find("shop", "own") == SoldModel("shop", "own")


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        pytest.param([override(prices={"input_tokens": 7})], 7, id="wins"),
        pytest.param([override(model="x", prices={"input_tokens": 7})], 4, id="other-model"),
        pytest.param([override(provider="x", prices={"input_tokens": 7})], 4, id="other-provider"),
        pytest.param([override(provider="ac*", model="?", prices={"input_tokens": 7})], 7, id="patterns"),
        pytest.param([override(model="M", prices={"input_tokens": 7})], 7, id="case-does-not-matter"),
        pytest.param(
            [override(prices={"input_tokens": 7}), override(model="*", prices={"input_tokens": 8})],
            8,
            id="last-written",
        ),
        pytest.param(
            [
                override(prices={"input_tokens": 7}, valid_from=day("2026-01-01")),
                override(prices={"input_tokens": 8}, valid_from=day("2025-01-01")),
            ],
            7,
            id="latest-before-last-written",
        ),
        pytest.param([override(prices={"input_tokens": 7}, valid_from=day("2027-01-01"))], 4, id="not-yet"),
        pytest.param([override(prices={"input_tokens": 7}, tier="batch")], 4, id="for-another-tier"),
    ],
)
def test_the_users_own_price_wins_over_the_book(overrides, expected):
    assert input_price(book(row(input_tokens=4), overrides=overrides)) == expected


def test_an_override_changes_what_it_names_and_leaves_the_rest():
    rate = book(row(input_tokens=4, output_tokens=8), overrides=[override(prices={"input_tokens": 3})]).rate_at(
        "acme", "m", NOW
    )

    assert rate.prices == {"input_tokens": 3, "output_tokens": 8}


def test_an_override_names_itself_as_source():
    overrides = [
        override(
            prices={"input_tokens": 3}, source="llmcost.toml:3", valid_from=day("2026-02-01"), max_output_tokens=9
        ),
        override(discount=Decimal("0.1"), source="llmcost.toml:9"),
    ]

    rate = book(row(input_tokens=4), overrides=overrides).rate_at("acme", "m", NOW)

    assert rate.rate_id == "acme/m@2026-02-01+llmcost.toml:3+llmcost.toml:9"
    assert rate.source == "llmcost.toml:9 over llmcost.toml:3 over test 1"
    assert (rate.valid_from, rate.max_output_tokens) == (day("2026-02-01"), 9)


def test_an_override_gives_a_model_a_price_that_the_book_does_not_know():
    rates = book(overrides=[override(model="local-*", provider="vllm", prices={"input_tokens": 3})])

    rate = rates.rate_at("vllm", "local-7b", NOW, tier="batch")

    assert (rate.rate_id, rate.source, rate.is_tier_assumed) == ("vllm/local-7b+override", "override", True)


def test_the_books_tier_stays_where_an_override_is_for_the_standard_one():
    rates = book(row(input_tokens=4), row("batch", input_tokens=2), overrides=[override(prices={"input_tokens": 3})])

    assert input_price(rates, tier="batch") == 2


def test_a_row_with_only_a_discount_scales_the_list_price_of_all_tiers():
    rates = book(
        row(input_tokens=4), row("batch", input_tokens=2), overrides=[override(model="*", discount=Decimal("0.25"))]
    )

    for tier, list_cost in [("standard", 4), ("batch", 2)]:
        cost = price(Usage({"input_tokens": 1}), rates.rate_at("acme", "m", NOW, tier=tier))
        assert cost.list_cost_usd == list_cost
        assert cost.effective_cost_usd == list_cost * Decimal("0.75")


def test_a_discount_beside_a_price_wins_over_one_that_stands_alone():
    rows = [override(prices={"input_tokens": 8}, discount=Decimal("0.5")), override(discount=Decimal("0.1"))]

    assert book(row(input_tokens=4), overrides=rows).rate_at("acme", "m", NOW).discount == Decimal("0.5")


def test_a_discount_makes_no_price():
    with pytest.raises(UnknownPriceError):
        book(overrides=[override(model="*", discount=Decimal("0.1"))]).rate_at("acme", "new", NOW)


def test_an_override_of_the_future_begins_on_time():
    """The rate of today was remembered already."""
    rates = book(row(input_tokens=4), overrides=[override(prices={"input_tokens": 7}, valid_from=day("2027-01-01"))])

    assert [input_price(rates, at) for at in (NOW, day("2027-01-01"))] == [4, 7]


def test_an_override_may_call_a_provider_by_any_of_its_names():
    rates = PriceBook([provider("google", {"m": [row(input_tokens=4)]})]).with_overrides(
        [override(provider="gcp.gemini", prices={"input_tokens": 7})]
    )

    assert rates.rate_at("google", "m", NOW).prices["input_tokens"] == 7


def test_many_unknown_names_do_not_pile_up():
    """Names come from outside: a sender of made-up ones must not fill the memory."""
    rates = book(row(input_tokens=1))

    for number in range(5000):
        with pytest.raises(UnknownPriceError):
            rates.rate_at("acme", f"made-up-{number}", NOW)

    assert len(rates._spans) <= 4096
    assert len(rates._known) <= 4096


def test_models_are_listed_in_the_books_order():
    rates = PriceBook([provider("b", {"y": [], "x": []}), provider("a", {"z": []})])

    assert rates.models() == [("b", "y"), ("b", "x"), ("a", "z")]


US = {"tier": "us", "times": Decimal("1.1")}


@pytest.mark.parametrize(
    ("tier", "expected", "found"),
    [
        pytest.param("us", "4.4", "us", id="a-surcharge-alone"),
        pytest.param("batch+us", "2.2", "batch+us", id="on-what-a-tier-costs"),
        pytest.param("US + Batch", "2.2", "batch+us", id="in-any-order-and-case"),
        pytest.param("default+us+global", "4.4", "us", id="beside-what-changes-nothing"),
        pytest.param("fast+us", "9", "fast+us", id="a-combination-with-a-price-of-its-own"),
    ],
)
def test_modifiers_of_a_price_come_together(tier, expected, found):
    rows = [
        row(input_tokens=4, web_searches=10),
        row("batch", input_tokens=2),
        row("fast", input_tokens=8),
        row("fast+us", input_tokens=9),
        row(**US),
    ]

    rate = book(*rows).rate_at("acme", "m", NOW, tier=tier)

    assert rate.prices == {"input_tokens": Decimal(expected), "web_searches": 10}
    assert (rate.tier, rate.is_tier_assumed) == (found, False)


@pytest.mark.parametrize(
    ("tier", "expected", "found"),
    [
        pytest.param("us+flex", "4.4", "us", id="one-is-not-known"),
        pytest.param("batch+priority", "2", "batch", id="two-have-a-price-for-the-same"),
        pytest.param("flex+mars", "4", "standard", id="none-is-known"),
    ],
)
def test_modifiers_that_are_not_known_together_are_assumed_away(tier, expected, found):
    rows = [row(input_tokens=4), row("batch", input_tokens=2), row("priority", input_tokens=7), row(**US)]

    rate = book(*rows).rate_at("acme", "m", NOW, tier=tier)

    assert (rate.prices["input_tokens"], rate.tier, rate.is_tier_assumed) == (Decimal(expected), found, True)


def test_a_surcharge_is_on_every_kind_of_token_and_every_size():
    steps = ((0, Decimal(1)), (200, Decimal(2)))
    rates = book(row(input_tokens=steps, cache_write_1h_tokens=2, images=3), row(**US))

    small, large = (rates.rate_at("acme", "m", NOW, tier="us", input_tokens=size).prices for size in (200, 201))

    assert small == {"input_tokens": Decimal("1.1"), "cache_write_1h_tokens": Decimal("2.2"), "images": 3}
    assert large["input_tokens"] == Decimal("2.2")


@pytest.mark.parametrize(
    ("written_for", "tier", "expected"),
    [
        pytest.param(None, "us", "3.3", id="the-user's-price-is-raised-as-the-book's"),
        pytest.param("us", "us", "3", id="unless-it-is-the-price-for-that-place"),
        pytest.param("us", "us+mars", "3", id="also-where-more-was-asked-for"),
        pytest.param(None, "batch", "2", id="a-tier-of-the-book-stays-over-a-standard-price"),
    ],
)
def test_a_surcharge_meets_the_users_own_price(written_for, tier, expected):
    rates = book(
        row(input_tokens=4),
        row("batch", input_tokens=2),
        row(**US),
        overrides=[override(tier=written_for, prices={"input_tokens": 3})],
    )

    assert input_price(rates, tier=tier) == Decimal(expected)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        pytest.param("2026-11-20T02:00", 2, id="friday-in-the-hours"),
        pytest.param("2026-11-21T02:00", 1, id="saturday"),
        pytest.param("2026-11-23T02:00", 2, id="monday"),
        pytest.param("2026-11-23T04:00", 1, id="after-the-hours"),
    ],
)
def test_hours_may_be_those_of_some_days_of_the_week(at, expected):
    rates = book(row(input_tokens=1), row(hours=(60, 240), days=(1, 2, 3, 4, 5), input_tokens=2))

    for asked in ("2026-11-20T00:30", "2026-11-21T12:00", at):  # what is remembered must not outlive its hour
        found = input_price(rates, day(asked))

    assert found == expected
    assert [rate.rate_id for rate in rates.show("acme", "m")] == ["acme/m", "acme/m@01:00-04:00@12345"]


def test_days_of_the_week_begin_and_end_at_midnight():
    rates = book(row(input_tokens=1), row(days=(6,), input_tokens=2))

    asked = ["2026-11-20T23:59", "2026-11-21T00:00", "2026-11-21T23:59", "2026-11-22T00:00"]
    assert [input_price(rates, day(at)) for at in asked] == [1, 2, 2, 1]


def test_units_priced_from_elsewhere_say_so():
    rows = [row(input_tokens=4), row("*", images=2, source="other 9"), row("*", input_tokens=5, source="third 1")]

    rate = book(*rows).rate_at("acme", "m", NOW)

    assert rate.prices == {"input_tokens": 4, "images": 2}
    assert rate.source == "test 1 and other 9"


def test_a_modifier_from_elsewhere_says_so():
    rate = book(row(input_tokens=4), row("batch", input_tokens=2, source="other 9")).rate_at(
        "acme", "m", NOW, tier="batch"
    )

    assert rate.source == "other 9"


def test_ones_own_hardware_is_all_that_is_paid():
    """A model of the same name in the book is somebody else's: its tokens are not paid on top."""
    own = override(prices={"gpu_milliseconds": "0.000001"}, is_self_hosted=True)

    rate = book(row(input_tokens=4, output_tokens=8), overrides=[own]).rate_at("acme", "m", NOW)

    assert rate.prices == {"gpu_milliseconds": Decimal("0.000001")}
    assert price(
        Usage({"input_tokens": 9, "output_tokens": 9, "gpu_milliseconds": 2000}), rate
    ).list_cost_usd == Decimal("0.002")
