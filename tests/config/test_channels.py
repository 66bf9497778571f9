"""`[[alert]]`: reminders, escalation, quiet hours, groups, and channels that only apprise can deliver to."""

from __future__ import annotations

import sys
from datetime import time, timedelta
from pathlib import Path

import pytest

from otel_llmcost.config import Settings, load
from otel_llmcost.core.alert import Channel, Quiet

HEAD = '[[alert]]\nname = "ops"\nurl = "https://h.example"\n'
BOSS = '[[alert]]\nname = "boss"\nurl = "https://b.example"\nlevels = []\n'


def read(folder: Path, text: str) -> Settings:
    (folder / "llmcost.toml").write_text(text)
    return load({}, cwd=folder, home=folder)


def problems(folder: Path, text: str) -> list[str]:
    return [str(each).removeprefix(f"{folder}/llmcost.toml:") for each in read(folder, text).problems]


def test_all_that_can_be_said_of_a_channel_is_read(tmp_path: Path) -> None:
    rules = """
levels = ["exceeded", "burn_rate"]
remind_every = "1h"
escalate_to = "boss"
escalate_after = "20m"
quiet = "22:00-07:30"
timezone = "Europe/Berlin"
quiet_except = ["exceeded"]
group = "5m"
recoveries = false
"""
    settings = read(tmp_path, HEAD + rules + BOSS)

    assert (settings.problems, settings.notices) == ((), ())
    assert settings.channels[0] == Channel(
        name="ops",
        url="https://h.example",
        secret=None,
        levels=frozenset({"exceeded", "burn_rate"}),
        remind_every=timedelta(hours=1),
        escalate_to="boss",
        escalate_after=timedelta(minutes=20),
        quiet=Quiet(starts=time(22), ends=time(7, 30), timezone="Europe/Berlin", except_for=frozenset({"exceeded"})),
        group=timedelta(minutes=5),
        recoveries=False,
    )


def test_a_channel_may_be_for_escalations_only(tmp_path: Path) -> None:
    settings = read(tmp_path, HEAD + 'escalate_to = "boss"\n' + BOSS)

    assert settings.problems == ()
    assert settings.channels[1].levels == frozenset()


def test_stops_and_exceeded_budgets_go_through_quiet_hours_unless_said_otherwise(tmp_path: Path) -> None:
    (channel,) = read(tmp_path, HEAD + 'quiet = "22:00-07:00"').channels

    assert channel.quiet == Quiet(starts=time(22), ends=time(7), except_for=frozenset({"exceeded", "stop"}))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        pytest.param(
            'remind_every = "59s"',
            '4: alert[0].remind_every: found "59s"; it is taken as if left out '
            '(expected a time of at least 60 s, such as "15m")',
            id="a-reminder-every-second",
        ),
        pytest.param(
            'group = "0s"',
            '4: alert[0].group: found "0s"; it is taken as if left out '
            '(expected a time of at least 1 s, such as "15m")',
            id="a-group-of-no-time",
        ),
        pytest.param(
            'quiet = "22-7"',
            '4: alert[0].quiet: found "22-7"; it is taken as if left out (expected hours such as "22:00-07:00")',
            id="hours-without-minutes",
        ),
        pytest.param(
            'quiet = "22:00-22:00"',
            "4: alert[0].quiet: quiet hours that end when they begin; it is taken as if left out "
            '(expected hours such as "22:00-07:00")',
            id="no-hours",
        ),
        pytest.param(
            'timezone = "Europe/Berlin"',
            "4: alert[0].timezone: there are no quiet hours; it has no effect "
            '(expected quiet = "22:00-07:00" beside it)',
            id="a-time-zone-of-nothing",
        ),
        pytest.param(
            'quiet = "22:00-07:00"\nquiet_except = ["loud"]',
            '5: alert[0].quiet_except[0]: no level is called "loud"; it is left out (expected "critical", "exceeded", '
            '"warning", "anomaly", "burn_rate", "burn_rate.fast", "burn_rate.slow", "first_seen", "stop" or "resume")',
            id="an-unknown-level",
        ),
        pytest.param(
            'escalate_to = "bos"',
            '4: alert[0].escalate_to: no channel is called "bos", perhaps "boss" is meant; nobody is told in its place '
            '(expected "boss")',
            id="an-unknown-channel",
        ),
        pytest.param(
            'escalate_to = "ops"',
            '4: alert[0].escalate_to: this is the channel itself; nobody is told in its place (expected "boss")',
            id="the-channel-itself",
        ),
        pytest.param(
            'escalate_after = "5m"',
            '4: alert[0].escalate_after: nobody is named; it has no effect (expected escalate_to = "…" beside it)',
            id="after-which-nobody",
        ),
    ],
)
def test_what_makes_no_sense_is_said_and_alerts_still_go_there(tmp_path: Path, rules: str, said: str) -> None:
    text = HEAD + rules + "\n" + BOSS

    assert problems(tmp_path, text) == [said]
    assert [channel.name for channel in read(tmp_path, text).channels] == ["ops", "boss"]


def test_the_only_channel_has_nobody_to_hand_on_to(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, HEAD + 'escalate_to = "ops"')

    assert said.endswith("(expected another [[alert]])")


def test_without_the_extra_a_channel_of_apprise_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)

    settings = read(tmp_path, '[[alert]]\nname = "chat"\nurl = "slack://a/b/c"\n')

    assert settings.channels == ()
    (problem,) = settings.problems
    assert str(problem).removeprefix(f"{tmp_path}/llmcost.toml:") == (
        "3: alert[0].url: slack: is delivered by the package apprise, which is not installed; no alerts go there "
        '(expected http or https, or: pip install "otel-llmcost[apprise]")'
    )


def test_agents_with_channels_of_apprise_start_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "apprise", raising=False)

    settings = read(tmp_path, '[[alert]]\nname = "chat"\nurl = "slack://a/b/c"\n')

    assert settings.problems == ()
    assert "apprise" not in sys.modules
