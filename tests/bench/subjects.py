"""Who is measured, doing what: tables that need nothing installed."""

import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to watch the calls."""

    title: str
    environment: str
    sdks: tuple[str, ...] = ("openai", "anthropic")
    packages: tuple[str, ...] = ()
    """Distributions whose versions say what was measured, beside the SDKs."""
    launched: bool = True
    """Whether `opentelemetry-instrument` alone turns it on, so that its start-up can be measured there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One call as an agent makes it, and how often it is made for one figure."""

    title: str
    sdk: str
    chunks: int = 0
    """0: a plain answer, no stream."""
    calls_timed: int
    calls_counted: int


CANDIDATES = {
    "bare": Candidate(title="SDK alone", environment="sdk"),
    "floor": Candidate(title="floor: 1 span, 12 attributes, 2 histograms, by hand", environment="sdk", launched=False),
    "ours-memory": Candidate(title="**otel-llmcost**, balances in memory", environment="ours"),
    "ours-sqlite": Candidate(
        title="**otel-llmcost**, a SQLite reservation per call", environment="ours", launched=False
    ),
    "anthropic-native": Candidate(
        title="anthropic's own spans", environment="sdk", sdks=("anthropic",), launched=False
    ),
    "genai": Candidate(
        title="opentelemetry-instrumentation-genai",
        environment="genai",
        packages=("opentelemetry-instrumentation-genai-openai", "opentelemetry-instrumentation-genai-anthropic"),
    ),
    "openinference": Candidate(
        title="openinference",
        environment="openinference",
        packages=("openinference-instrumentation-openai", "openinference-instrumentation-anthropic"),
    ),
    "traceloop": Candidate(
        title="traceloop",
        environment="traceloop",
        packages=("opentelemetry-instrumentation-openai", "opentelemetry-instrumentation-anthropic"),
    ),
    "logfire": Candidate(title="logfire", environment="logfire", packages=("logfire",), launched=False),
    "openlit": Candidate(title="openlit, with cost", environment="openlit", packages=("openlit",), launched=False),
}
QUICK = ("bare", "floor", "ours-memory", "ours-sqlite")

WORKLOADS = {
    "openai-chat": Workload(title="openai chat", sdk="openai", calls_timed=100, calls_counted=20),
    "anthropic-messages": Workload(title="anthropic message", sdk="anthropic", calls_timed=150, calls_counted=20),
    "openai-stream-200": Workload(
        title="openai stream of 200", sdk="openai", chunks=200, calls_timed=6, calls_counted=4
    ),
    "anthropic-stream-200": Workload(
        title="anthropic stream of 200", sdk="anthropic", chunks=200, calls_timed=25, calls_counted=10
    ),
    # Shorter ones, for the slope: what each further chunk adds.
    "openai-stream-20": Workload(
        title="openai stream of 20", sdk="openai", chunks=20, calls_timed=30, calls_counted=15
    ),
    "anthropic-stream-20": Workload(
        title="anthropic stream of 20", sdk="anthropic", chunks=20, calls_timed=80, calls_counted=20
    ),
}

OURS = """
store = "{store}"

[[budget]]
name = "team-by-day"
limit = 1000000.00
window = "day"
scope = {{ team = "support" }}

[[budget]]
name = "user-by-month"
limit = 1000000.00
window = "month"
per = ["user"]

[[budget]]
name = "agent-by-hour"
limit = 1000000.00
window = "hour"
scope = {{ feature = "chat" }}
per = ["agent"]
"""
WHO = {"agent": "planner", "task": "t-1", "user": "u-7", "team": "support", "feature": "chat"}


def write_ours(store: str) -> str:
    """Write the configuration that ours is measured with, three budgets that all match `WHO`; return its path."""
    folder = Path(tempfile.mkdtemp(prefix="llmcost-bench-"))
    path = folder / "llmcost.toml"
    path.write_text(OURS.format(store=store.format(folder=folder)))
    return str(path)
