"""Who is measured, doing what: tables that need nothing installed."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

SDKS = ("openai", "anthropic", "google-genai", "mistralai", "cohere", "bedrock", "groq", "ollama", "litellm")
APART = frozenset({"litellm"})
"""SDKs that do not go with the others: each has environments of its own, named for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to watch the calls."""

    title: str
    environment: str
    sdks: tuple[str, ...] = SDKS
    packages: tuple[str, ...] = ()
    """Distributions whose versions say what was measured, beside the SDKs."""
    launched: bool = True
    """Whether `opentelemetry-instrument` alone turns it on, so that its start-up can be measured there."""

    def environment_for(self, sdk: str) -> str:
        """Return the environment that it is measured in with an SDK."""
        return f"{self.environment}-{sdk}" if sdk in APART else self.environment


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
        sdks=("openai", "anthropic", "google-genai", "bedrock"),
        packages=(
            "opentelemetry-instrumentation-genai-openai",
            "opentelemetry-instrumentation-genai-anthropic",
            "opentelemetry-instrumentation-genai-bedrock",
            "opentelemetry-instrumentation-google-genai",
        ),
    ),
    "openinference": Candidate(
        title="openinference",
        environment="openinference",
        packages=("openinference-instrumentation",),
    ),
    "traceloop": Candidate(
        title="traceloop",
        environment="traceloop",
        sdks=tuple(sdk for sdk in SDKS if sdk != "cohere"),  # it knows cohere before 6 alone
        packages=("opentelemetry-instrumentation-openai",),
    ),
    "logfire": Candidate(
        title="logfire",
        environment="logfire",
        sdks=("openai", "anthropic", "google-genai", "litellm"),
        packages=("logfire",),
        launched=False,
    ),
    "openlit": Candidate(title="openlit, with cost", environment="openlit", packages=("openlit",), launched=False),
}
QUICK = ("bare", "floor", "ours-memory", "ours-sqlite")
STORED = frozenset({"openai", "anthropic"})
"""SDKs that even a quick look measures with a store: it does the same for all."""
MOST_PEERS = 2
"""How many of the others are measured with each SDK but openai, unless all are asked for."""


def quick_of(sdk: str) -> tuple[str, ...]:
    """Return who is measured with an SDK in a quick look."""
    return QUICK if sdk in STORED else QUICK[:-1]


def peers_of(sdk: str) -> tuple[str, ...]:
    """Return those of the others that are measured with an SDK."""
    able = tuple(name for name, one in CANDIDATES.items() if name not in QUICK and sdk in one.sdks)
    return able if sdk == "openai" else able[:MOST_PEERS]


def workloads_of(sdk: str) -> dict[str, Workload]:
    """Return a call, a stream, and a shorter one for the slope: what each further chunk adds."""
    return {
        f"{sdk}-chat": Workload(title="a call", sdk=sdk, calls_timed=100, calls_counted=10),
        f"{sdk}-stream-200": Workload(title="a stream of 200", sdk=sdk, chunks=200, calls_timed=10, calls_counted=2),
        f"{sdk}-stream-20": Workload(title="a stream of 20", sdk=sdk, chunks=20, calls_timed=30, calls_counted=6),
    }


WORKLOADS = {name: workload for sdk in SDKS for name, workload in workloads_of(sdk).items()}

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
