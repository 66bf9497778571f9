"""Which spans have a reader at all, and that nothing that is sent can break one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llmcost_collector.dialects import facts
from otel_llmcost_collector.dialects.base import Around, Value
from otel_llmcost_collector.dialects.directory import dialect_of, reader_for
from otel_llmcost_collector.dialects.names import COUNTS
from otel_llmcost_collector.dialects.table import DIALECTS
from tests.collector.dialects.corpus import read

NAMES = sorted(
    {
        *(name for names in COUNTS.values() for name in names),
        *(name for row in DIALECTS for name in (*row.marks, *row.requested, *row.served, *row.provider, *row.texts)),
        *(name for row in DIALECTS for name in (*row.operation, *row.asked, *row.tier, *row.semantics)),
        *("llmcost.charge.id", "llmcost.cost.status", "gen_ai.usage.cost", "gen_ai.is_streaming", "user.id"),
    }
)
SCOPES = ["", *(scope for row in DIALECTS for scope in row.scopes)]
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(),
    st.sampled_from(["chat", "LLM", "generation", "{}", '{"id":1}']),
)


@pytest.mark.parametrize(
    "keys",
    [
        {"http.request.method", "url.full", "server.address"},
        {"db.system", "db.statement"},
        {"gen_ai.operation.name", "gen_ai.tool.name"},
        {"ai.other"},
        set[str](),
    ],
    ids=lambda keys: " ".join(sorted(keys)),  # the same in every process of a run
)
def test_other_spans_have_no_reader(keys: set[str]) -> None:
    """Two of three spans are of HTTP, databases and tools: they are passed on unread."""
    assert reader_for("opentelemetry.instrumentation.httpx", frozenset(keys)) is None


def test_the_page_tells_every_estimate_and_every_dialect() -> None:
    """Who reads `estimated` on a bill looks there."""
    text = (Path(__file__).parents[3] / "docs" / "dialects.md").read_text(encoding="utf-8")

    cached = (facts.CACHE_NOT_TOLD, facts.KEPT_NOT_TOLD, facts.STREAM_START)
    others = (facts.GUESSED, facts.NOT_BILLED, facts.TOOLS_NOT_TOLD, facts.REGION_NOT_TOLD)
    names = [*(method for _, method in (*cached, *others)), *(row.name for row in DIALECTS)]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_a_scope_decides_before_marks() -> None:
    """Logfire's and traceloop's processors write their names on the spans of everybody."""
    keys = frozenset({"logfire.msg", "traceloop.workflow.name", "gen_ai.operation.name"})

    assert dialect_of("com.anthropic.sdk.python", keys).name == "anthropic"
    assert dialect_of("litellm", keys).name == "litellm"
    assert dialect_of("litellm_proxy_of_mine", keys).name != "litellm"


def test_readers_want_few_attributes_each_once() -> None:
    """The rest of a span is never decoded; prompts and answers are not wanted, save where an answer tells its usage."""
    keys = frozenset({*NAMES, "gen_ai.input.messages", "gen_ai.output.messages", "input.value"})

    for scope in SCOPES:
        reader = reader_for(scope.removesuffix("="), keys)
        assert reader is not None
        assert len(set(reader.wanted)) == len(reader.wanted)
        assert keys.issuperset(reader.wanted)
        assert not {"gen_ai.input.messages", "gen_ai.output.messages", "input.value"} & set(reader.wanted)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SCOPES), st.text(max_size=20), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=12))
def test_no_span_breaks_a_reader(scope: str, name: str, attributes: dict[str, Value]) -> None:
    """Counts that come out are positive, and no part is more than its total."""
    found = read(Around(scope.removesuffix("=")), name, attributes)

    if found is not None:
        counts = found.counts
        assert all(type(count) is int and count > 0 for count in counts.values())
        assert counts.get("cache_read_tokens", 0) <= counts.get("input_tokens", 0)
        assert counts.get("reasoning_tokens", 0) <= counts.get("output_tokens", 0)


def test_names_are_learnt_within_bounds() -> None:
    """Whoever sends a new name with each span does not fill the memory; what was learnt is not mistaken for another."""
    keys = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "", "gen_ai.usage.input_tokens": 1}
    reader = reader_for("my.own", frozenset(keys))
    assert reader is not None
    at = reader.wanted.index("gen_ai.request.model")

    for name in (*(f"model-{number}" for number in range(1200)), "m" * 5000):
        values: list[Value | None] = [keys[key] for key in reader.wanted]
        values[at] = name
        found = reader.read("chat", values, Around("my.own"))
        assert found is not None
        assert found.requested_model == name[:256]
