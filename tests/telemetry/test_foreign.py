"""Where another instrumentor makes no span of a call, we do."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from otel_llmcost.telemetry.foreign import is_instrumented_by_others


@pytest.mark.parametrize(
    ("module", "operation", "has_span"),
    [
        pytest.param("opentelemetry.instrumentation.openai", "chat", True, id="openllmetry-chat"),
        pytest.param("opentelemetry.instrumentation.openai", "image_generation", False, id="openllmetry-image"),
        pytest.param("opentelemetry.instrumentation.genai.openai", "embeddings", True, id="official-embeddings"),
        pytest.param("opentelemetry.instrumentation.genai.openai", "speech", False, id="official-speech"),
        pytest.param("openinference.instrumentation.openai", "image_generation", True, id="openinference-image"),
    ],
)
def test_a_span_of_ours_is_left_out_only_where_another_makes_one(
    monkeypatch: pytest.MonkeyPatch, module: str, operation: str, has_span: bool
) -> None:
    """Without any, a collector that sees spans alone would miss the call."""
    active = SimpleNamespace(_instance=SimpleNamespace(is_instrumented_by_opentelemetry=True))
    made = ModuleType(module)
    made.OpenAIInstrumentor = active  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module, made)

    assert is_instrumented_by_others("openai", operation) is has_span
