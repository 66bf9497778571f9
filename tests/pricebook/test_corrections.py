"""What we say against, or beyond, the source of the prices."""

import pytest

from otel_llmcost.core.prices import SoldModel
from otel_llmcost.pricebook.book import load, parse, render
from otel_llmcost.pricebook.compile import Compiler
from otel_llmcost.pricebook.sources import corrections, installed_prices

CORRECTIONS = corrections()


@pytest.fixture(scope="module")
def uncorrected():
    raw, version = installed_prices()
    providers = Compiler().providers(raw, {})
    return parse(render(providers, source="genai-prices", version=version, compiled_on="2026-11-22", ceilings=""))


def facts(book, provider, name):
    return [(rate.valid_from, rate.tier, rate.prices) for rate in book.show(provider, name)]


@pytest.mark.parametrize("change", CORRECTIONS, ids=lambda change: change["id"])
def test_a_correction_is_in_the_book_and_still_needed(change, uncorrected):
    """One that the source has caught up with is to be deleted."""
    name = change["id"] + ("-2025-04-14:org::id" if change["id"].startswith("ft:") else "")
    book = load()

    assert book.find(change["provider"], name) == SoldModel(change["provider"], change["id"])
    assert facts(book, change["provider"], name) != facts(uncorrected, change["provider"], name)
    assert {rate.source for rate in book.show(change["provider"], name)} == {change["source"]}


@pytest.mark.parametrize("change", CORRECTIONS, ids=lambda change: change["id"])
def test_a_correction_says_why(change):
    assert change["reason"]
    assert change["source"]
