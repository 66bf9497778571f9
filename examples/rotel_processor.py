"""Price LLM calls inside Rotel: `rotel start --otlp-with-trace-processor examples/rotel_processor.py …`.

Rotel embeds a Python: set PYTHONPATH to where otel-llmcost[collector] is installed. Spans leave it with their cost on
them, as they leave our collector; no ledger is kept and no budget looked at.
"""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rotel_sdk.open_telemetry.common.v1 import KeyValue

from otel_llmcost.pricebook import book
from otel_llmcost_collector.dialects.directory import reader_for
from otel_llmcost_collector.pipeline import Pipeline

PIPELINE = Pipeline(book.load(), readers=reader_for)
MAKE = {
    "string_value": KeyValue.new_string_value,
    "bool_value": KeyValue.new_bool_value,
    "int_value": KeyValue.new_int_value,
    "double_value": KeyValue.new_double_value,
}
KINDS = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}


def process_spans(resource_spans):
    """Price the spans of one resource; Rotel calls this by its name."""
    request = ExportTraceServiceRequest()
    ours = request.resource_spans.add()
    copy_attributes(resource_spans.resource, ours.resource)
    theirs = []
    for scope_spans in resource_spans.scope_spans:
        scope = ours.scope_spans.add()
        scope.scope.name = scope_spans.scope.name if scope_spans.scope else ""
        for span in scope_spans.spans:
            copied = scope.spans.add(name=span.name, trace_id=span.trace_id, span_id=span.span_id)
            copied.parent_span_id = span.parent_span_id
            copied.start_time_unix_nano = span.start_time_unix_nano
            copied.end_time_unix_nano = span.end_time_unix_nano
            theirs.append((span, copy_attributes(span, copied)))

    priced = ExportTraceServiceRequest.FromString(PIPELINE.traces(request.SerializeToString()).content)
    spans = [span for scope in priced.resource_spans[0].scope_spans for span in scope.spans]
    for (span, known), told in zip(theirs, spans, strict=True):
        for added in told.attributes[known:]:  # what we say stands behind what was there
            kind = added.value.WhichOneof("value")
            span.attributes.append(MAKE[kind](added.key, getattr(added.value, kind)))


def copy_attributes(of, to):
    """Copy those of one simple value; return how many."""
    for attribute in of.attributes if of else ():
        value = attribute.value.value if attribute.value else None
        if type(value) in KINDS:
            setattr(to.attributes.add(key=attribute.key).value, KINDS[type(value)], value)
    return len(to.attributes)
