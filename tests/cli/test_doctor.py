"""`doctor` finds what is not in order, and says what to do."""

import json
import socket
import sys
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from otel_llmcost.cli import surroundings
from otel_llmcost.cli.doctor import AREAS
from otel_llmcost.errors import StoreError
from otel_llmcost.storage.memory import MemoryStore
from tests.cli.conftest import NOW, texts


@pytest.fixture(autouse=True)
def nothing_exported(shell):
    shell.environ |= {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}


def test_a_fresh_machine_has_no_problem(shell):
    result = shell.run("doctor")

    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines() if not line.startswith(" ")] == list(AREAS)
    assert "no llmcost.toml" in result.stdout


def test_every_problem_of_the_settings_is_one_of_the_doctors(shell):
    shell.configure('[[budget]]\nname = "b"\nlimit = -1\nwindow = "day"\n[[alert]]\nname = "a"\nurl = "https:///x"')

    result = shell.run("doctor")

    assert result.exit_code == 1
    assert len(texts(shell, "settings", "problem")) == 2
    assert "PROBLEM" in result.stdout


def test_being_disabled_is_said(shell):
    shell.configure('disabled = true\nstore = "memory://"')

    assert texts(shell, "settings", "warning") == ["disabled = true: nothing is accounted for, nothing is enforced"]
    assert texts(shell, "store", "warning") == ["memory:// is each process's own, and gone when it ends"]


def test_a_store_that_does_not_answer_hides_nothing_else(shell):
    shell.store.close()

    result = shell.run("doctor", "--json")

    states = {check["area"]: check["state"] for check in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert {states[area] for area in ("store", "ledger", "alerts")} == {"problem"}
    assert states["prices"] == "ok"


@pytest.mark.parametrize(
    ("model", "usage", "reason"),
    [
        pytest.param(
            "home-grown",
            {"input_tokens": 100},
            "no rate in the price book; give it one by a [[price]] in llmcost.toml",
            id="no-rate",
        ),
        pytest.param(
            "gpt-4o",
            {"images": 3},
            "no price for images alone in openai/gpt-4o; give it one by a [[price]] in llmcost.toml",
            id="no-price-for-a-part",
        ),
        pytest.param("gpt-4o", {"input_tokens": 100}, "it has a price now, which was not known then", id="since-known"),
    ],
)
def test_unpriced_calls_are_counted_with_the_reason(shell, model, usage, reason):
    for hours in (3, 2):
        shell.spend(None, model=model, usage=usage, at=NOW - timedelta(hours=hours))
    shell.spend("1", model=model, at=NOW - timedelta(hours=2))

    assert texts(shell, "ledger", "warning") == [
        f"2 calls of openai/{model} are unpriced (reported), the last at 2026-11-22 10:00: {reason}"
    ]


@pytest.mark.parametrize(
    ("status", "method", "reason"),
    [
        ("estimated", "no-usage-reported", "the answer came without its usage"),
        ("estimated", "stream-ended-early", "the stream was left before its end, where its usage stands"),
        ("estimated", "something-new", "the answer came without (all of) its usage"),
        ("suspected", "no-answer-seen", "nobody saw the answer, but the provider may have billed"),
        ("suspected", "lost-attempt", "the SDK tried again, but the provider may have billed the attempt before, too"),
        ("suspected", "something-new", "the provider may have billed it"),
    ],
)
def test_calls_that_are_not_confirmed_are_counted_by_method(shell, status, method, reason):
    for days in (0, 1, 8):
        shell.spend("1", status=status, method=method, at=NOW - timedelta(days=days, hours=1))

    assert texts(shell, "ledger", "note") == [
        f"2 calls of openai/gpt-4o are {status} ({method}), the last at 2026-11-22 11:00: {reason}"
    ]


def test_the_most_frequent_come_first_and_programs_get_them_in_parts(shell):
    shell.spend("1", status="suspected", method="no-answer-seen")
    for method in ("stream-ended-early", "stream-ended-early", "no-usage-reported"):
        shell.spend("1", status="estimated", method=method)

    found = json.loads(shell.run("doctor", "--json").stdout)

    facts = [check["facts"] for check in found if check["area"] == "ledger" and check["facts"]]
    assert [each["calls"] for each in facts] == [2, 1, 1]
    assert facts[0] == {
        "status": "estimated",
        "provider": "openai",
        "model": "gpt-4o",
        "method": "stream-ended-early",
        "calls": 2,
        "last_at": "2026-11-22T11:00:00Z",
        "reason": "the stream was left before its end, where its usage stands",
    }


def test_fixed_costs_are_counted_among_the_settings(shell):
    shell.configure('store = "memory://"\n[[fixed_cost]]\nname = "gpu"\nper_day = 1')

    (text,) = texts(shell, "settings", "ok")
    assert text.endswith("llmcost.toml: 0 budgets, 0 limits, 0 alert channels, 1 fixed costs")


def test_alerts_that_were_given_up_are_a_problem(shell):
    shell.configure(
        '[[budget]]\nname = "b"\nlimit = 1\nwindow = "day"\n[[alert]]\nname = "ops"\nurl = "https://h.example"'
    )
    shell.spend("1")
    taken = shell.store.claim_deliveries(shell.settings.channels, NOW, lease=timedelta(seconds=1))
    shell.store.finish_delivery(replace(taken[0], state="dead", attempts=36))

    assert texts(shell, "alerts", "problem") == ["1 alerts were given up: see `otel-llmcost alerts list --state dead`"]


def test_a_channel_at_which_nothing_arrives_is_a_warning(shell):
    """It is found out before the last attempt, a day later."""
    shell.configure(
        '[[budget]]\nname = "b"\nlimit = 1\nwindow = "day"\n[[alert]]\nname = "ops"\nurl = "https://h.example"'
    )
    shell.spend("1")
    (taken, *_) = shell.store.claim_deliveries(shell.settings.channels, NOW, lease=timedelta(seconds=1))
    shell.store.finish_delivery(replace(taken, attempts=1, problem="answered 404 Not Found"))

    said = texts(shell, "alerts", "warning")

    assert said == ["nothing arrives at 'ops', it is tried again: answered 404 Not Found"]


class FullStore(MemoryStore):
    """Can be read, and takes nothing more."""

    def lead(self, duty: str, holder: str, now: datetime, until: datetime) -> bool:
        raise StoreError("the disk is full")


def test_a_store_that_cannot_be_written_is_a_problem(shell):
    """Reading alone finds nothing of it."""
    shell.store = FullStore()

    assert texts(shell, "store", "problem") == ["the disk is full"]


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        pytest.param(
            "",
            ['budget "b": no model of the price book is called "gpt-4o-mimi", perhaps "gpt-4o-mini" is meant'],
            id="nobody",
        ),
        pytest.param('[[price]]\nprovider = "house"\nmodel = "gpt-4o-mim*"\ninput = 1\noutput = 1', [], id="ones-own"),
    ],
)
def test_a_budget_that_assumes_a_model_without_a_price_is_a_problem(shell, terms, said):
    """It would count nothing of the calls that it is to hold."""
    shell.configure(f'[[budget]]\nname = "b"\nlimit = 1\nwindow = "day"\nunpriced = "assume:gpt-4o-mimi"\n{terms}')

    result = shell.run("config", "check", "--json")

    assert [problem.split(";")[0] for problem in json.loads(result.stdout)["problems"]] == said
    assert len(texts(shell, "settings", "problem")) == len(said)


@pytest.mark.parametrize("names", ["llmcost", "redis, llmcost", "*"])
def test_being_switched_off_is_a_problem(shell, names):
    shell.environ["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"] = names

    assert texts(shell, "loading", "problem") == ["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS switches us off"]


def test_a_python_without_the_launcher_is_a_problem(shell, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))

    assert texts(shell, "loading", "problem") == [
        f"there is no opentelemetry-instrument in {tmp_path}/bin: install opentelemetry-instrumentation"
    ]


def test_an_exporter_whose_package_is_missing_is_a_problem(shell):
    shell.environ |= {"OTEL_TRACES_EXPORTER": "console, zipkin", "OTEL_METRICS_EXPORTER": "none"}

    assert texts(shell, "export", "ok") == ["traces go to the exporter 'console'"]
    assert texts(shell, "export", "problem") == ["traces: there is no exporter 'zipkin'; its package is missing"]
    assert texts(shell, "export", "note") == ["metrics are not exported"]


def test_an_otlp_endpoint_is_called_at(shell):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        shell.environ |= {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": address}
        listened = texts(shell, "export", "ok")
    gone = texts(shell, "export", "warning")

    assert listened == [f"traces go to {address}, where somebody listens"]
    assert gone[0].startswith(f"traces go to {address}, which cannot be reached")


@pytest.mark.parametrize(
    ("name", "environ", "endpoint"),
    [
        pytest.param("otlp", {}, "http://localhost:4317", id="default"),
        pytest.param("otlp_proto_http", {}, "http://localhost:4318", id="http-by-name"),
        pytest.param(
            "otlp", {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http://localhost:4318", id="http-by-protocol"
        ),
        pytest.param(
            "otlp",
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://b:2"},
            "http://a:1",
            id="of-the-signal",
        ),
    ],
)
def test_the_endpoint_is_that_of_the_exporter(name, environ, endpoint):
    assert surroundings.endpoint_of(environ, "traces", name) == endpoint


def test_an_endpoint_that_is_none_is_said(shell):
    shell.environ |= {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:port"}

    assert "which cannot be reached" in texts(shell, "export", "warning")[0]


def test_without_a_distro_nothing_is_exported(shell, monkeypatch):
    monkeypatch.setattr(sys, "path", [])

    assert texts(shell, "export", "warning") == [
        "no distro is installed, so nothing is exported unless the program sets it up itself"
    ]


def test_a_disabled_sdk_is_said(shell):
    shell.environ["OTEL_SDK_DISABLED"] = "TRUE"

    assert texts(shell, "export", "warning") == [
        "OTEL_SDK_DISABLED: no spans, no metrics; accounting and limits work all the same"
    ]


def test_old_prices_are_to_be_renewed(shell, monkeypatch):
    shell.configure('[[price]]\nmodel = "home-grown"\ninput = 1')
    shell.now = NOW + timedelta(days=61)

    assert texts(shell, "prices", "warning") == ["these prices are old: run `otel-llmcost prices update`"]
    assert "1 prices of your own lie over it" in texts(shell, "prices", "ok")
