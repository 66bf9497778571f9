"""`doctor` finds what is not in order, and says what to do."""

import json
import socket
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from otel_llmcost.cli import surroundings
from otel_llmcost.cli.doctor import AREAS
from tests.cli.conftest import NOW, Shell


def texts(shell: Shell, area: str, state: str) -> list[str]:
    """What `doctor` says of one area, in one state."""
    found = json.loads(shell.run("doctor", "--json").stdout)
    return [check["text"] for check in found if (check["area"], check["state"]) == (area, state)]


@pytest.fixture(autouse=True)
def nothing_exported(shell: Shell) -> None:
    shell.environ |= {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}


def test_a_fresh_machine_has_no_problem(shell):
    result = shell.run("doctor")

    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines() if not line.startswith(" ")] == list(AREAS)
    assert "no llmcost.toml" in result.stdout


def test_every_problem_of_the_settings_is_one_of_the_doctors(shell):
    shell.configure('[[budget]]\nname = "b"\nlimit = -1\nwindow = "day"\n[[alert]]\nname = "a"\nurl = "slack://x"')

    result = shell.run("doctor")

    assert result.exit_code == 1
    assert len(texts(shell, "settings", "problem")) == 2
    assert "PROBLEM" in result.stdout


def test_being_disabled_is_said(shell):
    shell.configure('disabled = true\nstore = "memory://"\n[[limit]]\nname = "l"\nrequests = 1\nwindow = "1m"')

    assert texts(shell, "settings", "warning") == ["disabled = true: nothing is accounted for, nothing is enforced"]
    assert len(texts(shell, "settings", "note")) == 1
    assert texts(shell, "store", "warning") == ["memory:// is each process's own, and gone when it ends"]


def test_a_store_that_does_not_answer_hides_nothing_else(shell):
    shell.store.close()

    result = shell.run("doctor", "--json")

    states = {check["area"]: check["state"] for check in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert {states[area] for area in ("store", "ledger", "alerts")} == {"problem"}
    assert states["prices"] == "ok"


def test_unpriced_calls_are_listed_with_the_reason(shell):
    shell.spend(None, model="home-grown")
    shell.spend(None, model="gpt-4o")
    shell.spend("1")

    unpriced = texts(shell, "ledger", "warning")

    assert sorted(unpriced) == [
        (
            "1 calls of openai/gpt-4o are unpriced: they came before the price openai/gpt-4o was known, "
            "or used something it has no price for"
        ),
        (
            "1 calls of openai/home-grown are unpriced: no rate in the price book; "
            "give it one by a [[price]] in llmcost.toml"
        ),
    ]


def test_estimated_and_suspected_calls_are_counted_by_method(shell):
    for method in ("stream-ended-early", "stream-ended-early", "no-usage-reported"):
        shell.spend("1", status="estimated", method=method)
    shell.spend("1", status="suspected", method="no-answer-seen")
    shell.spend("1", status="estimated", at=NOW - timedelta(days=8))

    assert texts(shell, "ledger", "note") == [
        ("2 calls of openai/gpt-4o are estimated (stream-ended-early): the answer came without (all of) its usage"),
        "1 calls of openai/gpt-4o are estimated (no-usage-reported): the answer came without (all of) its usage",
        (
            "1 calls of openai/gpt-4o are suspected (no-answer-seen): "
            "nobody saw the answer, but the provider may have billed"
        ),
    ]


def test_alerts_that_were_given_up_are_a_problem(shell):
    shell.configure(
        '[[budget]]\nname = "b"\nlimit = 1\nwindow = "day"\n[[alert]]\nname = "ops"\nurl = "https://h.example"'
    )
    shell.spend("1")
    taken = shell.store.claim_deliveries({"ops": frozenset({"warning"})}, NOW, lease=timedelta(seconds=1))
    shell.store.finish_delivery(replace(taken[0], state="dead", attempts=36))

    assert texts(shell, "alerts", "problem") == ["1 alerts were given up: see `otel-llmcost alerts list --state dead`"]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install packages that hold no more than what is looked at."""

    def install(name: str, *, entry_points: str = "", **files: str) -> None:
        info = tmp_path / f"{name.replace('-', '_')}-9.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 9.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        for module, text in files.items():
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / f"{module}.py").write_text(text)

    monkeypatch.syspath_prepend(tmp_path)
    return install


def test_both_sdks_are_found_to_pass_where_we_stand(shell):
    assert [text.split()[0] for text in texts(shell, "SDKs", "ok")] == ["openai", "anthropic"]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("class SyncAPIClient:\n    def send(self): ...\n", id="no-method"),
        pytest.param("def request(): ...\n", id="no-class"),
        pytest.param("class SyncAPIClient(:", id="no-python"),
    ],
)
def test_an_sdk_that_was_built_anew_is_a_problem(shell, installed, source):
    installed("openai", _base_client=source)

    assert texts(shell, "SDKs", "problem") == [
        "openai 9.0 has no openai._base_client.SyncAPIClient.request: its calls are not seen"
    ]


def test_an_sdk_that_is_not_installed_is_no_problem(shell, monkeypatch):
    monkeypatch.setattr(sys, "path", [])

    assert texts(shell, "SDKs", "note") == ["openai is not installed here", "anthropic is not installed here"]
    assert len(texts(shell, "loading", "problem")) == 2


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        ("auto", "its spans get the cost, and we make none of our own"),
        ("own", 'with spans = "own" each call has two spans, but one charge'),
    ],
)
def test_other_instrumentations_of_the_same_sdks_are_named(shell, installed, spans, said):
    shell.configure(f'spans = "{spans}"')
    installed("acme", entry_points="[opentelemetry_instrumentor]\nopenai = acme.openai:Instrumentor\nredis = acme:R\n")

    assert texts(shell, "loading", "note") == [f"acme.openai is installed too: {said}"]


@pytest.mark.parametrize("names", ["llmcost", "redis, llmcost", "*"])
def test_being_switched_off_is_a_problem(shell, names):
    shell.environ["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"] = names

    assert texts(shell, "loading", "problem") == ["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS switches us off"]


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
