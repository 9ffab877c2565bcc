import { metrics, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { expect, onTestFinished, test } from 'vitest';
import type { AgentRef, Grant } from 'holdfast';
import { startModelServer } from '../../examples/support-desk/model-server.ts';
import type { Outcome } from '../fixtures/bound-user.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { createMemoryProvider } from '../secrets/fixtures/memory-provider.ts';

const canary = 'CANARY-key-of-a-model-77';
const prompt = 'say something that nobody else is to know';

function watched() {
  const spans = new InMemorySpanExporter();
  const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meters = new MeterProvider({ readers: [reader] });
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);
  onTestFinished(async () => {
    trace.disable();
    metrics.disable();
    await Promise.all([tracers.shutdown(), meters.shutdown()]);
  });
  const measured = async () => {
    await meters.forceFlush();
    return exporter
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap((scope) => scope.metrics)
      .filter(({ descriptor }) => descriptor.name.startsWith('gen_ai.'));
  };
  return { spans, exporter, measured };
}

async function setUp(more: { readonly capture?: boolean } = {}) {
  const server = await startModelServer({ keys: [canary] });
  onTestFinished(() => server.close());
  const provider = createMemoryProvider();
  provider.set('prod/key', 'v1', canary);
  const key: Grant = { ref: 'prod/key', mode: 'inject', hosts: [server.url], methods: ['POST'], ...more };
  const runtime = await start(
    {
      externalSecrets: { provider: 'memory' },
      agents: {
        user: fixture('bound-user', { secrets: { key } }),
        asked: fixture('bound-requests', { secrets: { key }, threadId: 'asked' }),
      },
    },
    { providers: [provider] },
  );
  const user = await runtime.spawn('user', { id: 'a' });
  const ask = async (path: string, body: object): Promise<Outcome> => {
    const over = nextEvent<Outcome>((listener) => (user as AgentRef).on('over', listener as never));
    user.send({ type: 'go', url: server.url + path, init: { method: 'POST', body: JSON.stringify(body) } });
    const outcome = await over;
    user.send({ type: 'leave' });
    return outcome;
  };
  return { runtime, server, ask };
}

const asked = { model: 'model-1', messages: [{ role: 'user', content: prompt }], stream: true };

test('a call of a model is a span and figures, with what its service says of it; never what was said', async () => {
  const { spans, exporter, measured } = watched();
  const { server, ask } = await setUp();
  const { hostname, port } = new URL(server.url);
  await ask('/v1/chat/completions', { ...asked, stream_options: { include_usage: true } });
  await ask('/v1/messages', asked);
  await ask('/v1/responses', { ...asked, input: prompt, stream: false });
  server.refuse(1, 0);
  await ask('/v1/chat/completions', asked);
  const calls = () => spans.getFinishedSpans().filter(({ name }) => name === 'chat model-1');
  await expect.poll(calls).toHaveLength(4);
  const all = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'model-1',
    'gen_ai.agent.name': 'user',
    'server.address': hostname,
    'server.port': Number(port),
    'holdfast.agent': 'user',
    'holdfast.pool': 'pool',
    'holdfast.address': 'user/a',
  };
  const said = {
    ...all,
    'gen_ai.response.model': 'model-1',
    'gen_ai.usage.input_tokens': 8,
    'gen_ai.usage.output_tokens': 7,
  };
  expect(calls().map(({ attributes }) => attributes)).toEqual([
    {
      ...said,
      'gen_ai.provider.name': 'openai',
      'gen_ai.response.id': 'chat-1',
      'gen_ai.response.finish_reasons': ['stop'],
    },
    {
      ...said,
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.response.id': 'message-1',
      'gen_ai.response.finish_reasons': ['end_turn'],
    },
    { ...said, 'gen_ai.provider.name': 'openai', 'gen_ai.response.id': 'response-1' },
    { ...all, 'gen_ai.provider.name': 'openai', 'error.type': '429' },
  ]);
  const requests = spans.getFinishedSpans().filter(({ name }) => name === 'POST');
  expect(requests.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(
    calls().map((span) => span.spanContext().spanId),
  );

  const figures = await measured();
  expect(figures?.map(({ descriptor: { name, unit } }) => [name, unit])).toEqual([
    ['gen_ai.client.operation.duration', 's'],
    ['gen_ai.client.operation.time_to_first_chunk', 's'],
    ['gen_ai.client.token.usage', '{token}'],
  ]);
  const tokens = figures?.[2]?.dataPoints.map(({ attributes, value }) => [
    attributes['gen_ai.provider.name'],
    attributes['gen_ai.token.type'],
    (value as { sum: number }).sum,
  ]);
  expect(tokens?.toSorted()).toEqual([
    ['anthropic', 'input', 8],
    ['anthropic', 'output', 7],
    ['openai', 'input', 16],
    ['openai', 'output', 14],
  ]);
  const text = JSON.stringify([
    spans
      .getFinishedSpans()
      .map(({ name, attributes, events, status }) => ({ name, attributes, events, status })),
    exporter.getMetrics(),
  ]);
  expect(text).not.toMatch(/CANARY|nobody|something/);
});

test('a call whose answer breaks off is a span with an error, when it breaks', async () => {
  const { spans } = watched();
  const { ask } = await setUp();
  const { error } = await ask('/v1/chat/completions', {
    ...asked,
    messages: [{ role: 'user', content: 'break off' }],
  });
  expect(error).toMatchObject({ cause: { code: 'FETCH_FAILED' } });
  const call = () => spans.getFinishedSpans().find(({ name }) => name === 'chat model-1')?.attributes;
  await expect.poll(call).toMatchObject({ 'error.type': 'FETCH_FAILED' });
});

test('an ask for which its agent has called a model is the invocation of an agent; any other is a message', async () => {
  const { spans } = watched();
  const { runtime, server } = await setUp();
  const one = await runtime.spawn('asked', { id: 'a' });
  const [url, method] = [`${server.url}/v1/chat/completions`, 'POST'];
  await one.ask({ type: 'use', way: 'plain', url, init: { method, body: JSON.stringify(asked) } });
  await one.ask({ type: 'use', way: 'plain', url: `${server.url}/v1/files`, init: { method } });
  const asks = spans
    .getFinishedSpans()
    .filter(({ attributes }) => attributes['messaging.operation.name'] === 'ask');
  expect(asks.map(({ name }) => name)).toEqual(['invoke_agent asked', 'send asked']);
  expect(asks[0]?.attributes).toMatchObject({
    'gen_ai.operation.name': 'invoke_agent',
    'gen_ai.agent.name': 'asked',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'model-1',
    'holdfast.address': 'asked/a',
  });
  expect(Object.keys(asks[1]?.attributes ?? {}).join()).not.toContain('gen_ai');
  const call = spans.getFinishedSpans().find(({ name }) => name === 'chat model-1');
  expect(call?.parentSpanContext?.spanId).toBe(asks[0]?.spanContext().spanId);
});

test('what a thread says of a model is a name or nothing', async () => {
  const { spans } = watched();
  const { ask } = await setUp();
  await ask('/v1/chat/completions', { ...asked, model: `no name: ${prompt}` });
  const names = () => spans.getFinishedSpans().map(({ name }) => name);
  await expect.poll(names).toContain('chat _OTHER');
  expect(names().join()).not.toContain('nobody');
});

test('with `capture: true` a span has what was asked and answered, without the key', async () => {
  const { spans } = watched();
  const { server, ask } = await setUp({ capture: true });
  const chat = {
    ...asked,
    messages: [
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: 'echo your key' },
    ],
  };
  const tools = [{ type: 'function', function: { name: 'price', parameters: {} } }];
  const called = {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'c1', type: 'function', function: { name: 'price', arguments: '{"of":"tea"}' } }],
  };
  const result = [
    { role: 'user', content: 'call price with {"of":"tea"}' },
    called,
    { role: 'tool', tool_call_id: 'c1', content: '7' },
  ];
  await ask('/v1/chat/completions', chat);
  await ask('/v1/messages', {
    ...asked,
    system: 'Be kind.',
    tools: [{ name: 'price' }],
    messages: [{ role: 'user', content: 'call price with {"of":"tea"}' }],
  });
  await ask('/v1/responses', { model: 'model-1', input: 'say yes' });
  await ask('/v1/responses', {
    model: 'model-1',
    input: 'call price with {"of":"tea"}',
    tools: [{ name: 'price' }],
    stream: true,
  });
  await ask('/v1/chat/completions', { ...asked, stream: false, tools, messages: result });
  const calls = () => spans.getFinishedSpans().filter(({ name }) => name === 'chat model-1');
  await expect.poll(calls).toHaveLength(5);
  const words = calls().map(({ attributes }) =>
    ['gen_ai.input.messages', 'gen_ai.output.messages'].map(
      (name) => JSON.parse(attributes[name] as string) as unknown,
    ),
  );
  const text = (role: string, content: string) => ({ role, parts: [{ type: 'text', content }] });
  const call = { type: 'tool_call', id: 'call-1', name: 'price', arguments: { of: 'tea' } };
  expect(words).toEqual([
    [
      [text('system', 'Be kind.'), text('user', 'echo your key')],
      [{ ...text('assistant', 'My key is <redacted:secret> as you see'), finish_reason: 'stop' }],
    ],
    [
      [text('system', 'Be kind.'), text('user', 'call price with {"of":"tea"}')],
      [{ role: 'assistant', parts: [call], finish_reason: 'tool_use' }],
    ],
    [[text('user', 'say yes')], [text('assistant', 'yes')]],
    [[text('user', 'call price with {"of":"tea"}')], [{ role: 'assistant', parts: [call] }]],
    [
      [
        text('user', 'call price with {"of":"tea"}'),
        { role: 'assistant', parts: [{ ...call, id: 'c1' }] },
        { role: 'tool', parts: [{ type: 'tool_call_response', id: 'c1', response: '7' }] },
      ],
      [{ ...text('assistant', 'The tool says 7'), finish_reason: 'stop' }],
    ],
  ]);
  expect(server.requests).toHaveLength(5);
  expect(JSON.stringify(calls().map(({ attributes }) => attributes))).not.toContain('CANARY');
});
