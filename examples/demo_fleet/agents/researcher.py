"""An agent that knows nothing of us: OpenInference instruments it, OpenTelemetry's SDK sends its spans."""

from __future__ import annotations

from openai import OpenAI
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

QUESTIONS = ("What does a van cost a day?", "Who insures a piano?", "When is the lift free?", "Where do boxes go?")


def main() -> None:
    tracing = TracerProvider()
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(insecure=True)))
    OpenAIInstrumentor().instrument(tracer_provider=tracing)
    with OpenAI() as client:
        for question in QUESTIONS:
            client.responses.create(model="gpt-6-luna", input=question, max_output_tokens=200)
        with client.chat.completions.create(
            model="gpt-6-luna",
            messages=[{"role": "user", "content": "Sum up."}],
            stream=True,
            stream_options={"include_usage": True},
        ) as stream:
            for _ in stream:
                pass
    tracing.shutdown()


if __name__ == "__main__":
    main()
