// An agent in another language: Node.js, OpenAI's own SDK, OpenTelemetry's own instrumentation of it.
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { OpenAIInstrumentation } = require('@opentelemetry/instrumentation-openai');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
const { BatchSpanProcessor, NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');
const { defaultResource, detectResources, envDetector } = require('@opentelemetry/resources');

const tracing = new NodeTracerProvider({
  resource: defaultResource().merge(detectResources({ detectors: [envDetector] })),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
tracing.register();
registerInstrumentations({ instrumentations: [new OpenAIInstrumentation()] });

const { OpenAI } = require('openai');

async function main() {
  const client = new OpenAI();
  for (const chapter of ['Packing', 'The day', 'The first night']) {
    await client.chat.completions.create({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: `Write the chapter "${chapter}" in 100 words.` }],
    });
  }
  const stream = await client.chat.completions.create({
    model: 'gpt-4o-mini',
    messages: [{ role: 'user', content: 'Write the summary in 50 words.' }],
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const _ of stream);
  await tracing.shutdown();
}

main();
