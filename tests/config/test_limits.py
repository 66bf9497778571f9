"""Rate limits and quotas are read as what they are: budgets of requests, tokens or cost."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from otel_llmcost.config import Settings, load
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.budget import Budget, Mark
from otel_llmcost.core.window import Calendar, Rolling


def read(folder: Path, text: str) -> Settings:
    (folder / "llmcost.toml").write_text(text)
    return load({}, cwd=folder, home=folder)


def limit(*lines: str, amount: str = "requests = 60", window: str = "1m") -> str:
    return "\n".join(("[[limit]]", 'name = "l"', amount, f'window = "{window}"', *lines))


def test_a_limit_comes_with_all_that_was_said_of_it(tmp_path):
    """Every key of the page on limits."""
    settings = read(
        tmp_path,
        limit(
            'timezone = "Europe/Berlin"',
            'scope = { model = "gpt-*" }',
            'per = ["agent"]',
            'on_limit = "wait"',
            'max_wait = "5m"',
            "marks = { warning = 0.8 }",
            'reserve = "worst"',
            'unpriced = "refuse"',
            'on_store_error = "closed"',
            amount="cost = 0.5",
            window="day",
        ),
    )

    assert settings.problems == ()
    assert settings.budgets == (
        Budget(
            name="l",
            limit=Decimal("0.5"),
            window=Calendar("day", ZoneInfo("Europe/Berlin")),
            scope=Scope({"model": ("gpt-*",)}),
            per=("agent",),
            on_limit="wait",
            marks=(Mark("warning", Decimal("0.8")),),
            reserve="worst",
            unpriced="refuse",
            on_store_error="closed",
            measure="cost",
            is_rate_limit=True,
            max_wait=timedelta(minutes=5),
        ),
    )


@pytest.mark.parametrize(
    ("amount", "measure"), [("requests = 60", "requests"), ("tokens = 60", "tokens"), ("cost = 60", "cost")]
)
def test_a_limit_of_few_words_refuses_at_once_and_alerts_nobody(tmp_path, amount, measure):
    """A full minute is no news; whoever wants to hear of it says marks."""
    (found,) = read(tmp_path, limit(amount=amount)).budgets

    assert found == Budget(
        name="l",
        limit=Decimal(60),
        window=Rolling(timedelta(minutes=1), "1m"),
        marks=(),
        measure=measure,
        is_rate_limit=True,
    )
    assert found.on_limit == "refuse"


def test_a_tiers_requests_per_day_are_a_quota_of_each_of_its_users(tmp_path):
    """The day is one of the calendar; the money of the tier is counted beside it."""
    settings = read(tmp_path, "[tiers.free]\ndaily = 0.10\nrequests_per_day = 1000")

    assert settings.problems == settings.notices == ()
    assert settings.budgets[1] == Budget(
        name="free-requests-per-day",
        limit=Decimal(1000),
        window=Calendar("day"),
        scope=Scope({"tier": ("free",)}),
        per=("user",),
        marks=(),
        measure="requests",
        is_rate_limit=True,
    )


@pytest.mark.parametrize(
    "other",
    [
        pytest.param('[[budget]]\nname = "l"\nlimit = 1\nwindow = "day"', id="budget"),
        pytest.param(limit(), id="limit"),
        pytest.param('[[limit]]\nname = "free-requests-per-day"\nrequests = 1\nwindow = "day"', id="tier"),
    ],
)
def test_budgets_and_limits_share_one_space_of_names(tmp_path, other):
    """Balances, acts and commands name a budget or a limit alike."""
    settings = read(tmp_path, f"{other}\n{limit()}\n[tiers.free]\nrequests_per_day = 1")

    (problem,) = settings.problems
    assert "is taken" in problem.problem
    assert problem.expected == "a name of its own for each budget and limit"
    assert len(settings.budgets) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            limit(window="minute"),
            'there is no "minute" of the calendar; "1m" is the last minute, at any time',
            id="minute",
        ),
        pytest.param(
            limit(window="second"),
            'there is no "second" of the calendar; "1s" is the last second, at any time',
            id="second",
        ),
        pytest.param(limit(window="fortnight"), 'found "fortnight"', id="no-window"),
        pytest.param(limit(amount="tokens = 1.5"), "found 1.5", id="half-a-token"),
        pytest.param(limit(amount="tokens = 1000000000000001"), "found 1000000000000001", id="too-many"),
        pytest.param(limit(amount="tokens = true"), "found true", id="switch"),
        pytest.param(limit('on_limit = "alert"'), 'found "alert"', id="alert"),
        pytest.param(limit('unpriced = "refuse"'), 'no key is called "unpriced"', id="price-of-requests"),
        pytest.param(limit("requests_per_day = 3"), 'no key is called "requests_per_day"', id="key"),
    ],
)
def test_a_limit_that_cannot_be_read_is_told_and_not_enforced(tmp_path, text, problem):
    """A wrong window or amount is never guessed at."""
    settings = read(tmp_path, text)

    assert settings.problems[0].problem.startswith(f"{problem}")
    assert settings.problems[0].problem.endswith("; this limit is not enforced")
    assert settings.budgets == ()


def test_a_longest_wait_of_a_limit_that_refuses_is_told(tmp_path):
    """Who writes one means to wait."""
    settings = read(tmp_path, limit('max_wait = "5s"'))

    assert [str(each).partition(":5: ")[2] for each in settings.problems] == [
        'limit[0].max_wait: nothing is waited for; calls are refused at once (expected on_limit = "wait" beside it)'
    ]
    assert len(settings.budgets) == 1


def test_if_all_is_strict_a_limit_that_cannot_be_read_refuses_all(tmp_path):
    """It would have held calls back, as a budget would."""
    assert read(tmp_path, f"strict = true\n{limit(window='minute')}").refuse_all_reason is not None
