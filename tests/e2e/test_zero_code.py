"""`opentelemetry-instrument python agent.py`: priced, held, exported, and switched off when told so."""

from __future__ import annotations

import json
import socket
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from otel_llmcost.telemetry import semconv
from tests.e2e.conftest import COST_NANO, Scene, budget

TWO_OF_FOUR = "tries(4)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spans_in(console: str) -> list[dict[str, object]]:
    """Read what the console exporter printed between the program's own lines."""
    decoder = json.JSONDecoder()
    found: list[dict[str, object]] = []
    place = console.find("\n{")
    while place >= 0:
        span, end = decoder.raw_decode(console[place + 1 :])
        found.append(span)
        place = console.find("\n{", place + end)
    return found


def prometheus(name: str, unit: str, *, is_counter: bool) -> str:
    return "_".join(filter(None, (name.replace(".", "_"), unit, "total" if is_counter else "")))


def test_an_unmodified_agent_is_priced_and_its_span_exported(scene: Scene) -> None:
    """No exporter of ours: the console's prints our span with the cost that the ledger holds."""
    done = scene.run("chat()", OTEL_TRACES_EXPORTER="console")

    (charge,) = scene.charges
    (span,) = spans_in("\n" + done.stdout)
    assert done.returncode == 0, done.stderr
    assert (charge.status, charge.cost_nano) == ("confirmed", COST_NANO)
    assert span["name"] == "chat gpt-4o-mini"
    attributes = span["attributes"]
    assert isinstance(attributes, dict)
    assert attributes[semconv.USAGE_COST] == pytest.approx(COST_NANO / 1e9)
    assert attributes[semconv.CHARGE_ID] == charge.charge_id


def test_the_metrics_equal_the_ledger(scene: Scene) -> None:
    """Scraped while the agent lives, as Prometheus would."""
    scene.configure(budget(2.5))
    port = free_port()
    agent = scene.start(
        TWO_OF_FOUR + "\nprint('done', flush=True); sys.stdin.read()",
        OTEL_METRICS_EXPORTER="prometheus",
        OTEL_EXPORTER_PROMETHEUS_PORT=str(port),
        OTEL_LLMCOST_AGENT="planner",
    )
    assert agent.stdout is not None
    while agent.stdout.readline() not in ("done\n", ""):
        pass
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    agent.communicate("", timeout=30)

    def total(name: str, **labels: str) -> float:
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(each.value for each in samples if labels.items() <= each.labels.items())

    spent = sum(charge.cost_nano or 0 for charge in scene.charges) / 1e9
    assert spent == 2 * COST_NANO / 1e9
    cost = prometheus(semconv.COST, "USD", is_counter=True)
    assert total(cost, gen_ai_agent_name="planner", gen_ai_request_model="gpt-4o-mini") == pytest.approx(spent)
    tokens = prometheus(semconv.TOKENS, "", is_counter=True)
    assert total(tokens, llmcost_token_class="input") == total(tokens, llmcost_token_class="output") == 2000
    calls = prometheus(semconv.CALLS, "", is_counter=True)
    assert total(calls, llmcost_call_outcome="confirmed") == total(calls, llmcost_call_outcome="refused") == 2
    assert total(prometheus(semconv.REFUSED, "", is_counter=True), llmcost_budget_name="b") == 2
    assert total(prometheus(semconv.BUDGET_SPENT, "USD", is_counter=False)) == pytest.approx(spent)
    assert total(prometheus(semconv.BUDGET_LIMIT, "USD", is_counter=False)) == pytest.approx(2.5 * COST_NANO / 1e9)
    assert total(prometheus(semconv.TOKEN_USAGE, "", is_counter=False) + "_sum") == 4000


@pytest.mark.parametrize("environ", [{"OTEL_TRACES_SAMPLER": "always_off"}, {"OTEL_SDK_DISABLED": "true"}], ids=str)
def test_no_cent_hangs_on_tracing(environ: dict[str, str], scene: Scene) -> None:
    """A limit that a sampler turns off would be none."""
    scene.configure(budget(2.5))

    done = scene.run(TWO_OF_FOUR, **environ)

    assert done.stdout.split() == ["sent", "sent", "refused", "refused"]
    assert len(scene.server.requests) == 2
    assert [charge.cost_nano for charge in scene.charges] == [COST_NANO, COST_NANO]


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "llmcost"},
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"},
        {"OTEL_LLMCOST_DISABLED": "true"},
    ],
    ids=str,
)
def test_switched_off_is_off(environ: dict[str, str], scene: Scene) -> None:
    """Nothing is refused, and not even a ledger is begun."""
    scene.configure(budget(2.5))

    done = scene.run(TWO_OF_FOUR, **environ)

    assert done.stdout.split() == ["sent"] * 4
    assert not scene.ledger.exists()


def test_a_wrong_file_stops_nothing_and_is_said_once(scene: Scene) -> None:
    """File, line, key and what was expected; the agent runs, the budgets that can be read hold."""
    scene.configure(budget(1.5) + '[[budget]]\nname = "typo"\nlimit = "ten"\nwindow = "day"\n')

    done = scene.run("tries(2)")

    (said,) = [line for line in done.stderr.splitlines() if "limit" in line]
    assert f"{scene.folder}/llmcost.toml:7: budget[1].limit" in said
    assert "not enforced" in said
    assert done.stdout.split() == ["sent", "refused"]


def test_strict_refuses_what_cannot_be_checked(scene: Scene) -> None:
    """Who says `strict` would rather stop than spend unseen."""
    scene.configure('strict = true\n[[budget]]\nname = "typo"\nlimit = "ten"\nwindow = "day"\n')

    done = scene.run("tries(2)")

    assert done.returncode == 0
    assert done.stdout.count("sent") == 0
    assert scene.server.requests == []


def test_the_summary_is_printed_at_exit(scene: Scene) -> None:
    """OTEL_LLMCOST_SUMMARY=1."""
    done = scene.run("tries(2)", OTEL_LLMCOST_SUMMARY="1")

    assert "otel-llmcost: $0.001500 for 2 calls, 4,000 tokens" in done.stderr


def test_nothing_is_imported_before_it_is_needed(scene: Scene) -> None:
    """An agent that calls no model pays next to nothing for us."""
    show = "import sys; print(*sys.modules)"
    modules = {
        state: set(scene.run_bare(show, OTEL_LLMCOST_DISABLED=state).stdout.split()) for state in ("true", "false")
    }
    without = set(scene.run_bare(show, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="*").stdout.split())

    dear = {"openai", "anthropic", "asyncio", "sqlite3", "tiktoken", "click", "rich", "decimal", "tomllib", "email"}
    assert "otel_llmcost.instrumentation.instrumentor" in modules["false"]
    assert not (modules["false"] - without) & dear
    assert not (modules["true"] - without) & dear
