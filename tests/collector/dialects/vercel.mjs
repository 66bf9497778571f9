// Makes one call with Vercel's AI SDK and prints the answer's id and the spans; run by record_vercel.py in a folder
// that has the packages, since Node looks for them beside the script otherwise.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const from = createRequire(process.cwd() + "/");
const load = (name) => import(pathToFileURL(from.resolve(name)).href);
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = await load("@opentelemetry/sdk-trace-node");
const { context, trace } = await load("@opentelemetry/api");
const { AsyncLocalStorageContextManager } = await load("@opentelemetry/context-async-hooks");
const ai = await load("ai");
const { createOpenAI } = await load("@ai-sdk/openai");
const { createAnthropic } = await load("@ai-sdk/anthropic");

const [url, call] = process.argv.slice(2);
const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
if (process.argv[4] === "7") {
  const { OpenTelemetry } = await load("@ai-sdk/otel");
  ai.registerTelemetry(new OpenTelemetry());
}

const openai = createOpenAI({ baseURL: url + "/v1", apiKey: "k" });
const anthropic = createAnthropic({ baseURL: url + "/v1", apiKey: "k" });
const say = (name) => `Say it in 12 words. case ${name}`;
const telemetry = { isEnabled: true, functionId: "greeter", metadata: { userId: "u-7", sessionId: "s-1" } };
const shared = { maxRetries: 0, experimental_telemetry: telemetry, telemetry };

async function generated(model, name) {
  return (await ai.generateText({ ...shared, model, prompt: say(name) })).response.id;
}

async function streamed(model, name) {
  const stream = ai.streamText({ ...shared, model, prompt: say(name) });
  for await (const _ of stream.textStream);
  return (await stream.response).id;
}

const calls = {
  "chat": () => generated(openai.chat("gpt-4o-mini"), "chat"),
  "chat-cached": () => generated(openai.chat("gpt-5-mini"), "chat-cached"),
  "chat-stream-cached": () => streamed(openai.chat("gpt-5-mini"), "chat-cached"),
  "response-cached": () => generated(openai("gpt-5-mini"), "response-cached"),
  "claude": () => generated(anthropic("claude-sonnet-4-5"), "claude"),
  "claude-cached": () => generated(anthropic("claude-sonnet-4-5"), "claude-cached"),
  "claude-5m": () => generated(anthropic("claude-sonnet-4-5"), "claude-5m"),
  "claude-stream-cached": () => streamed(anthropic("claude-sonnet-4-5"), "claude-cached"),
  "embedding": async () => {
    await ai.embed({ ...shared, model: (openai.embeddingModel ?? openai.embedding)("text-embedding-3-small"), value: "one two" });
  },
};

const id = (await calls[call]()) ?? null;
const nano = ([seconds, rest]) => String(BigInt(seconds) * 1000000000n + BigInt(rest));
const value = (each) => {
  if (typeof each === "boolean") return { boolValue: each };
  if (typeof each === "number") return Number.isInteger(each) ? { intValue: String(each) } : { doubleValue: each };
  return Array.isArray(each) ? { arrayValue: { values: each.map(value) } } : { stringValue: String(each) };
};
const attributes = (all) => Object.entries(all).map(([key, each]) => ({ key, value: value(each) }));
const scopeSpans = exporter.getFinishedSpans().map((span) => ({
  scope: { name: span.instrumentationScope.name, version: span.instrumentationScope.version ?? "" },
  spans: [
    {
      traceId: span.spanContext().traceId,
      spanId: span.spanContext().spanId,
      ...(span.parentSpanContext ? { parentSpanId: span.parentSpanContext.spanId } : {}),
      name: span.name,
      kind: span.kind + 1,
      startTimeUnixNano: nano(span.startTime),
      endTimeUnixNano: nano(span.endTime),
      attributes: attributes(span.attributes),
      status: { code: span.status.code },
    },
  ],
}));
console.log(JSON.stringify({ id, scopeSpans }));
