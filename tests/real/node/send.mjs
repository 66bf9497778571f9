// Sends two spans, one of a call of a model, over a protocol: `node send.mjs http|proto|grpc URL none|gzip`.
import { OTLPTraceExporter as Grpc } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as Http } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as Proto } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const [protocol, url, compression] = process.argv.slice(2);
const exporter = new { http: Http, proto: Proto, grpc: Grpc }[protocol]({ url, compression });
const failures = [];
const watched = {
  export: (spans, done) =>
    exporter.export(spans, (result) => {
      if (result.code !== 0) failures.push(result.error?.message ?? "no reason given");
      done(result);
    }),
  shutdown: () => exporter.shutdown(),
  forceFlush: () => exporter.forceFlush(),
};
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(watched)] });
const tracer = provider.getTracer("agent");
const attributes = {
  "gen_ai.operation.name": "chat",
  "gen_ai.provider.name": "openai",
  "gen_ai.request.model": "gpt-4o",
  "gen_ai.response.model": "gpt-4o-2024-08-06",
  "gen_ai.usage.input_tokens": 1000,
  "gen_ai.usage.output_tokens": 100,
};
tracer.startSpan("chat gpt-4o", { attributes }).end();
tracer.startSpan("GET /").end();
await provider.shutdown();
for (const failure of failures) console.error(failure);
process.exitCode = failures.length;
