"""Every example runs as its README says, without API keys, against the local server."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import openai
import pytest

from examples.provider_server import Fault, ProviderServer, Rule
from examples.webhook_receiver import WebhookReceiver
from otel_llmcost.config import load

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PROGRAMS = {
    "python": sys.executable,
    "opentelemetry-instrument": str(Path(sys.executable).with_name("opentelemetry-instrument")),
}
NEEDS_RESPONSES = pytest.mark.skipif(
    not hasattr(openai.OpenAI, "responses"), reason=f"openai {openai.__version__} has no responses"
)


def run(command: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "ANTHROPIC_"))}
    words = [PROGRAMS.get(word, word) for word in command.split()]
    return subprocess.run(
        words,
        cwd=ROOT,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@NEEDS_RESPONSES
def test_the_team_does_its_three_tasks_with_both_providers(server: ProviderServer) -> None:
    done = run("python examples/agent_team.py", server.environment)

    assert done.returncode == 0, done.stderr
    assert re.findall(r"task (\S+) for (\S+): 3 questions, 3 notes", done.stdout) == [
        ("t-1", "ada"),
        ("t-2", "ada"),
        ("t-3", "lin"),
    ]
    assert Counter((exchange.path, bool(exchange.body.get("stream"))) for exchange in server.requests) == {
        ("/v1/chat/completions", False): 6,
        ("/v1/responses", True): 9,
        ("/v1/embeddings", False): 3,
        ("/v1/messages", False): 3,
        ("/v1/messages", True): 3,
    }
    assert all(exchange.is_complete for exchange in server.requests)


@NEEDS_RESPONSES
def test_a_task_that_fails_does_not_stop_the_team(server: ProviderServer) -> None:
    server.script.add(Rule(contains="as fast as the day shift", fault=Fault.parse("400")))

    done = run("python examples/agent_team.py --rounds 2", server.environment)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("stopped: ") == 2
    assert done.stdout.count("a report of") == 4


def test_without_keys_the_team_says_what_to_do() -> None:
    done = run("python examples/agent_team.py", {})

    assert done.returncode == 1
    assert "Set OPENAI_API_KEY and ANTHROPIC_API_KEY" in done.stderr


def test_the_smallest_example_streams_its_answer(server: ProviderServer) -> None:
    done = run("python examples/openai_minimal.py", server.environment)

    assert done.returncode == 0, done.stderr
    assert "What is a budget good for?" in done.stdout


def test_without_a_budget_every_call_is_sent(server: ProviderServer) -> None:
    done = run("python examples/budget_refused.py", server.environment)

    assert done.returncode == 0, done.stderr
    assert done.stdout == "every call was sent\n"
    assert len(server.requests) == 100


def instrumented(folder: Path, budget_usd: str) -> dict[str, str]:
    """The environment of a program with a budget of its own and no exporters."""
    config = folder / "llmcost.toml"
    config.write_text(f'[[budget]]\nname = "small"\nlimit = {budget_usd}\nwindow = "day"\nper = ["user"]\n')
    exporters = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    store = f"sqlite:///{folder}/ledger.db"
    return exporters | {
        "OTEL_LLMCOST_CONFIG": str(config),
        "OTEL_LLMCOST_STORE": store,
        "OTEL_LLMCOST_SUMMARY": "1",
    }


def test_the_smallest_example_is_priced_without_knowing_it(server: ProviderServer, tmp_path: Path) -> None:
    done = run(
        "opentelemetry-instrument python examples/openai_minimal.py", server.environment | instrumented(tmp_path, "1")
    )

    assert done.returncode == 0, done.stderr
    assert server.requests[0].body["stream_options"] == {"include_usage": True}
    assert re.search(r"\$0\.0000\d+ for 1 call", done.stdout + done.stderr)


def test_the_refused_example_stops_at_its_budget(server: ProviderServer, tmp_path: Path) -> None:
    done = run(
        "opentelemetry-instrument python examples/budget_refused.py",
        server.environment | instrumented(tmp_path, "0.0002"),
    )

    assert done.returncode == 0, done.stderr
    refused = re.search(r"call (\d+) was not sent: budget 'small' of user=ada", done.stdout)
    assert refused, done.stdout
    assert len(server.requests) == int(refused[1]) - 1


def test_the_demos_configuration_is_right(tmp_path: Path) -> None:
    with WebhookReceiver("whsec_c2VjcmV0") as receiver:
        environment = {
            "OTEL_LLMCOST_CONFIG": str(EXAMPLES / "llmcost.toml"),
            "LLMCOST_WEBHOOK_URL": receiver.url,
            "LLMCOST_WEBHOOK_SECRET": "whsec_c2VjcmV0",
        }
        settings = load(environment, cwd=tmp_path, home=tmp_path)

    assert settings.problems == ()
    assert settings.notices == ()
    assert [budget.name for budget in settings.budgets] == ["research-daily", "user-daily", "writer-daily"]
    assert [channel.url for channel in settings.channels] == [receiver.url]


def test_the_readme_names_every_example_and_no_other() -> None:
    named = set(re.findall(r"`([a-z_]+(?:\.py|\.toml|/))`", (EXAMPLES / "README.md").read_text()))
    there = {path.name + "/" * path.is_dir() for path in EXAMPLES.iterdir() if path.suffix != ".md"}

    assert named == {name for name in there if not name.startswith("__")}
