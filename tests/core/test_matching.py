"""Rules for names, and the ways callers dress names up."""

import pytest

from otel_llmcost.core.matching import NameRule, undressed, with_dashed_date


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
    ("name", "bare"),
    [
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("projects/p/locations/eu/publishers/anthropic/models/claude-opus-5@20260723", "claude-opus-5@20260723"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
        ("gpt-4o", None),
        ("tunedmodels/my-tuned", None),
        ("openai/gpt-4o", None),
    ],
)
def test_paths_and_resource_names_are_peeled_off(name, bare):
    assert list(undressed(name)) == [name, *([bare] if bare else [])]
