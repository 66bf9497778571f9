"""Rules for names, and the ways callers dress names up."""

import pytest

from otel_llmcost.core.matching import NameRule, says_less, undressed, with_dashed_date


@pytest.mark.parametrize(
    ("rule", "fitting", "other"),
    [
        pytest.param(NameRule(equals=frozenset({"a", "b"})), "b", "ab", id="equals"),
        pytest.param(NameRule(starts=("gpt-",)), "gpt-9", "my-gpt-9", id="starts"),
        pytest.param(NameRule(ends=("-latest",)), "x-latest", "x-latest-1", id="ends"),
        pytest.param(NameRule(contains=("opus",)), "claude-opus-5", "claude-sonnet-5", id="contains"),
        pytest.param(NameRule(patterns=(r"^o[134]",)), "o3-mini", "co3", id="pattern"),
        pytest.param(
            NameRule(together=((NameRule(starts=("a",)), NameRule(ends=("z",))),)), "abz", "aby", id="all-together"
        ),
        pytest.param(NameRule(equals=frozenset({"a"}), ends=("z",)), "bz", "b", id="any-test-does"),
    ],
)
def test_a_rule_fits_what_it_says(rule, fitting, other):
    assert rule.fits(fitting)
    assert not rule.fits(other)


def test_a_rule_without_tests_fits_nothing():
    assert not NameRule().fits("")


@pytest.mark.parametrize(
    ("name", "dashed"),
    [
        ("gpt-5.2-20251211", "gpt-5.2-2025-12-11"),
        ("gpt-5.2-20251211:free", "gpt-5.2-2025-12-11:free"),
        ("claude-20240229-x", "claude-2024-02-29-x"),
        ("claude-20250229", "claude-20250229"),
        ("model-20251311", "model-20251311"),
        ("model-202512110", "model-202512110"),
    ],
)
def test_compact_dates_are_dashed_if_they_are_dates(name, dashed):
    assert with_dashed_date(name) == dashed


@pytest.mark.parametrize(
    ("served", "requested", "is_less"),
    [
        ("claude-haiku-4-5-20251001", "global.anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("claude-opus-4-6", "us.anthropic.claude-opus-4-6-v1", True),
        ("claude-opus-5-5-20260910", "global.anthropic.claude-opus-5-5", True),
        ("gpt-4o", "openai/gpt-4o", True),
        ("gpt-4o", "gpt-4o", False),
        ("gpt-4o-2024-08-06", "gpt-4o", False),
        ("gpt-4o", "openai/gpt-4o-mini", False),
        ("mini", "openai/gpt-4o-mini", False),
        ("claude-3-opus-20240229", "anthropic.claude-3-haiku-20240307-v1:0", False),
        ("", "us.anthropic.", False),
    ],
)
def test_a_name_may_say_less_than_what_was_asked_for(served, requested, is_less):
    """Where it does, the price goes by the request: it may name a place, and with it a price."""
    assert says_less(served, requested) is is_less


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
        ("gpt-4o", None),
        ("tunedmodels/my-tuned", None),
        ("openai/gpt-4o", None),
    ],
)
def test_paths_and_resource_names_are_peeled_off(name, bare):
    assert list(undressed(name)) == [name, *([bare] if bare else [])]


def test_a_version_behind_a_name_is_peeled_off_last():
    name = "projects/p/locations/eu/publishers/anthropic/models/claude-opus-5@20260723"

    assert list(undressed(name)) == [name, "claude-opus-5@20260723", "claude-opus-5"]
