"""Settings come from arguments, environment, file and defaults, in this order."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from otel_llmcost import environment_variables
from otel_llmcost.config import SETTINGS, load
from otel_llmcost.core.alert import KINDS, Channel
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.budget import DEFAULT_MARKS, Budget, Mark
from otel_llmcost.core.window import Calendar, Life, Rolling

FULL = """
store = "sqlite:///var/lib/llmcost/ledger.db"
spans = "own"
count = "exact"
summary = true
strict = true
disabled = true
log_level = "debug"

[attribution]
team = "support"
environment = "prod"

[[budget]]
name = "support-daily"
limit = 0.1
window = "day"
timezone = "Europe/Berlin"
scope = { team = "support", model = ["gpt-*", "o3"] }
per = ["user"]
on_limit = "alert"
marks = { info = 0.5, warning = 0.8, exceeded = 1 }
reserve = "worst"
unpriced = "assume:gpt-4o"
on_store_error = "closed"

[[budget]]
name = "session"
limit = "2.50"
window = "session"

[[limit]]
name = "per-agent-rpm"
requests = 60
window = "1m"
scope = { agent = "*" }
per = ["agent"]
on_limit = "wait"
max_wait = "30s"

[tiers.free]
daily = 0.10
monthly = 2.00
requests_per_day = 1000

[[alert]]
name = "ops"
url = "https://hooks.example.com/llmcost"
secret = "env:HOOK"
levels = ["info", "anomaly"]

[[alert]]
name = "all"
url = "env:URL"

[[price]]
provider = "openai"
model = "gpt-4o*"
valid_from = 2026-01-01
input = 2.50
discount = 0.10
"""


@pytest.fixture
def full(tmp_path):
    (tmp_path / "llmcost.toml").write_text(FULL)
    return load({"HOOK": "whsec_c2VjcmV0", "URL": "slack://a/b"}, cwd=tmp_path, home=tmp_path / "home")


def test_a_whole_file_is_read_without_a_problem(full, tmp_path):
    assert full.problems == ()
    assert full.config_path == tmp_path / "llmcost.toml"
    assert (full.store, full.spans, full.count) == ("sqlite:///var/lib/llmcost/ledger.db", "own", "exact")
    assert (full.summary, full.strict, full.disabled, full.log_level) == (True, True, True, "debug")
    assert full.attribution == {"team": "support", "environment": "prod"}
    assert full.refuse_all_reason is None


def test_budgets_come_with_all_that_was_said_of_them(full):
    assert full.budgets[:2] == (
        Budget(
            name="support-daily",
            limit=Decimal("0.1"),
            window=Calendar("day", ZoneInfo("Europe/Berlin")),
            scope=Scope({"team": ("support",), "model": ("gpt-*", "o3")}),
            per=("user",),
            on_limit="alert",
            marks=(Mark("info", Decimal("0.5")), Mark("warning", Decimal("0.8")), Mark("exceeded", Decimal(1))),
            reserve="worst",
            unpriced="assume:gpt-4o",
            on_store_error="closed",
        ),
        Budget(name="session", limit=Decimal("2.50"), window=Life("session")),
    )


def test_a_tier_becomes_a_budget_per_user_and_period(full):
    assert full.budgets[3:5] == tuple(
        Budget(
            name=f"free-{name}",
            limit=Decimal(limit),
            window=Calendar(unit),
            scope=Scope({"tier": ("free",)}),
            per=("user",),
            marks=DEFAULT_MARKS,
        )
        for name, limit, unit in (("daily", "0.1", "day"), ("monthly", "2.0", "month"))
    )


@pytest.mark.parametrize(
    ("tier", "daily", "monthly"),
    [("free", "0.10", "2.00"), ("pro", "1.00", "25.00"), ("enterprise", "10.00", "500.00")],
)
def test_tiers_are_read_as_written(tmp_path, tier, daily, monthly):
    (tmp_path / "llmcost.toml").write_text(f"[tiers.{tier}]\ndaily = {daily}\nmonthly = {monthly}")

    settings = load({}, cwd=tmp_path, home=tmp_path)

    assert settings.problems == ()
    assert [(budget.name, budget.limit) for budget in settings.budgets] == [
        (f"{tier}-daily", Decimal(daily)),
        (f"{tier}-monthly", Decimal(monthly)),
    ]


def test_channels_take_their_secrets_from_the_environment(full):
    assert full.channels == (
        Channel(
            name="ops",
            url="https://hooks.example.com/llmcost",
            secret="whsec_c2VjcmV0",
            levels=frozenset({"info", "anomaly"}),
        ),
        Channel(
            name="all",
            url="slack://a/b",
            secret=None,
            levels=frozenset({"info", "warning", "critical", "exceeded", *KINDS}),
        ),
    )


def test_prices_say_which_line_they_are_from(full):
    (price,) = full.prices

    assert (price.provider, price.model, price.discount) == ("openai", "gpt-4o*", Decimal("0.1"))
    assert price.prices == {"input_tokens": Decimal("0.0000025")}
    assert price.valid_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert price.source == f"llmcost.toml:{FULL.splitlines().index('[[price]]') + 1}"


def test_nothing_of_it_is_without_effect(full):
    assert full.notices == ()


def test_what_has_no_effect_is_said_and_not_silently_taken(tmp_path):
    (tmp_path / "llmcost.toml").write_text('[[alert]]\nname = "a"\nurl = "slack://a/b"\nsecret = "s"')

    settings = load({}, cwd=tmp_path, home=tmp_path)

    notices = [notice.removeprefix(f"{tmp_path}/") for notice in settings.notices]
    assert notices == ["llmcost.toml:4: alert[0].secret: only webhooks are signed"]


def test_without_a_file_defaults_hold(tmp_path):
    settings = load({}, cwd=tmp_path, home=tmp_path)

    assert settings.config_path is None
    assert settings.store == f"sqlite://{tmp_path}/.local/state/otel-llmcost/ledger.db"
    assert (settings.spans, settings.count, settings.log_level) == ("auto", "estimate", "warning")
    assert not (settings.summary)
    assert not (settings.strict)
    assert not (settings.disabled)
    assert (settings.budgets, settings.channels, settings.prices, settings.problems) == ((), (), (), ())


@pytest.mark.parametrize(
    ("line", "environ", "token"),
    [
        pytest.param("", {}, "", id="said-nowhere"),
        pytest.param('store_token = "env:LLM_TOKEN"', {"LLM_TOKEN": "geheim"}, "geheim", id="named-in-the-file"),
        pytest.param("", {"OTEL_LLMCOST_STORE_TOKEN": "geheim"}, "geheim", id="in-its-variable"),
    ],
)
def test_the_token_for_a_store_is_kept_out_of_the_file(tmp_path, line, environ, token):
    (tmp_path / "llmcost.toml").write_text(line)

    settings = load(environ, cwd=tmp_path, home=tmp_path)

    assert (settings.store_token, settings.problems) == (token, ())


def test_a_token_that_the_environment_lacks_is_a_problem_with_its_line(tmp_path):
    (tmp_path / "llmcost.toml").write_text('spans = "own"\nstore_token = "env:LLM_TOKEN"')

    settings = load({}, cwd=tmp_path, home=tmp_path)

    (problem,) = settings.problems
    assert (problem.line, problem.key, settings.store_token) == (2, "store_token", "")
    assert "the environment has no LLM_TOKEN" in str(problem)


def test_argument_beats_environment_beats_file_beats_default(tmp_path):
    (tmp_path / "llmcost.toml").write_text('spans = "own"\ncount = "exact"\nlog_level = "error"')
    environ = {"OTEL_LLMCOST_SPANS": "enrich", "OTEL_LLMCOST_COUNT": "estimate"}

    settings = load(environ, cwd=tmp_path, home=tmp_path, arguments={"spans": "off"})

    assert (settings.spans, settings.count, settings.log_level) == ("off", "estimate", "error")
    assert settings.problems == ()


def test_attribution_of_the_environment_is_laid_over_the_file(tmp_path):
    (tmp_path / "llmcost.toml").write_text('[attribution]\nteam = "support"\nagent = "a"')

    settings = load({"OTEL_LLMCOST_AGENT": "scraper", "OTEL_LLMCOST_TIER": "free"}, cwd=tmp_path, home=tmp_path)

    assert settings.attribution == {"agent": "scraper", "team": "support", "tier": "free"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", True), ("true", True), ("YES", True), (" on ", True), ("0", False), ("False", False), ("", True)],
)
def test_switches_of_the_environment_may_be_said_in_words(tmp_path, text, expected):
    """An empty variable counts as not set."""
    (tmp_path / "llmcost.toml").write_text("summary = true")

    settings = load({"OTEL_LLMCOST_SUMMARY": text}, cwd=tmp_path, home=tmp_path)

    assert settings.summary is expected
    assert settings.problems == ()


def test_the_working_directory_goes_before_the_users_folder(tmp_path):
    folder = tmp_path / ".config" / "otel-llmcost"
    folder.mkdir(parents=True)
    (folder / "llmcost.toml").write_text('spans = "off"')
    before = load({}, cwd=tmp_path, home=tmp_path)
    (tmp_path / "llmcost.toml").write_text('spans = "own"')
    after = load({}, cwd=tmp_path, home=tmp_path)

    assert (before.config_path, before.spans) == (folder / "llmcost.toml", "off")
    assert (after.config_path, after.spans) == (tmp_path / "llmcost.toml", "own")


def test_folders_of_the_user_are_where_the_desktop_says(tmp_path):
    folder = tmp_path / "xdg" / "otel-llmcost"
    folder.mkdir(parents=True)
    (folder / "llmcost.toml").write_text('spans = "off"')
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "XDG_STATE_HOME": str(tmp_path / "state")}

    settings = load(environ, cwd=tmp_path, home=tmp_path / "home")

    assert settings.config_path == folder / "llmcost.toml"
    assert settings.store == f"sqlite://{tmp_path}/state/otel-llmcost/ledger.db"
    assert settings.refreshed_prices == tmp_path / "state" / "otel-llmcost" / "prices.json"


def test_relative_folders_of_the_user_do_not_count(tmp_path):
    settings = load({"XDG_STATE_HOME": "state"}, cwd=tmp_path, home=tmp_path)

    assert settings.store == f"sqlite://{tmp_path}/.local/state/otel-llmcost/ledger.db"


def test_the_default_store_is_a_url_whatever_the_folder_is_called(tmp_path):
    settings = load({"XDG_STATE_HOME": "/tmp/50%41"}, cwd=tmp_path, home=tmp_path)

    assert settings.store == "sqlite:///tmp/50%2541/otel-llmcost/ledger.db"


def test_a_named_file_may_be_in_the_home_folder(tmp_path):
    (tmp_path / "my.toml").write_text('spans = "off"')

    settings = load({"OTEL_LLMCOST_CONFIG": "~/my.toml"}, cwd=Path("/"), home=tmp_path)

    assert settings.spans == "off"


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "llmcost.toml").write_bytes(b'\xef\xbb\xbfspans = "off"\r\n')

    settings = load({}, cwd=tmp_path, home=tmp_path)

    assert (settings.spans, settings.problems) == ("off", ())


def test_a_rolling_window_is_read(tmp_path):
    (tmp_path / "llmcost.toml").write_text('[[budget]]\nname = "b"\nlimit = 0\nwindow = "90m"')

    settings = load({}, cwd=tmp_path, home=tmp_path)

    assert isinstance(settings.budgets[0].window, Rolling)
    assert settings.budgets[0].limit == 0


def test_opentelemetry_instrument_lists_every_variable():
    listed = {name for name in dir(environment_variables) if name.startswith("OTEL_")}

    assert listed == {setting.variable for setting in SETTINGS}
    assert all(getattr(environment_variables, name) == name for name in listed)


def test_every_setting_but_the_file_itself_can_stand_in_the_file():
    assert [setting.name for setting in SETTINGS if not setting.key] == ["config"]
