import { context, trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { defineCapability } from 'holdfast';
import { expect, test, vi } from 'vitest';
import { start, startTest } from '../fixtures/start.ts';
import { face } from '../gateway/fixtures/face.ts';
import { startService } from '../secrets/fixtures/echo-service.ts';
import { createMemoryProvider } from '../secrets/fixtures/memory-provider.ts';
import { threadState } from '../worker/thread-state.ts';
import { sdk } from './fixtures/traces.ts';

const canary = 'canary-5d1b-never-to-be-seen';
const agent = (name: string, file: string, more: object = {}) => ({
  type: 'thread-bound' as const,
  threadId: name,
  maxThreads: 1,
  module: new URL(`./fixtures/${file}.ts`, import.meta.url),
  ...more,
});

/** Names below names, each set of siblings in the order of names. */
function tree(spans: readonly ReadableSpan[], parent: string | undefined): unknown[] {
  return spans
    .filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent)
    .map((span) => [span.name].concat(tree(spans, span.spanContext().spanId) as never[]) as unknown[])
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

test('two turns with awaits, a tool, an approval and secrets are one trace, without query or secret', async () => {
  const { spans } = sdk();
  const service = await startService((_, response) => void response.end('{}'));
  const provider = createMemoryProvider();
  provider.set('desk/key', 'v1', canary);
  const traced: (string | undefined)[] = [];
  const sign = defineCapability('sign', () => {
    traced.push(trace.getSpanContext(context.active())?.spanId);
    return 1;
  });
  const secrets = {
    llm: { ref: 'desk/key', mode: 'inject', hosts: [service.origin], methods: ['POST'] },
    orders: { ref: 'desk/key', mode: 'capability', capabilities: ['sign'] },
  } as const;
  const runtime = await start(
    {
      externalSecrets: { provider: 'memory' },
      agents: {
        support: agent('support', 'traced-support', { secrets }),
        tools: agent('tools', 'traced'),
        approvals: agent('approvals', 'traced-approvals'),
      },
    },
    { providers: [provider], capabilities: [sign] },
  );
  const [support] = await Promise.all([
    runtime.spawn('support', { id: 'eva' }),
    runtime.spawn('tools', { id: 'shop' }),
    runtime.spawn('approvals', { id: 'desk' }),
  ]);
  const user = trace.getTracer('test').startSpan('user');
  const url = `${service.origin}/v1/${canary}?key=${canary}`;
  const asked = context.with(trace.setSpan(context.active(), user), () =>
    support.ask({ type: 'message', url }, { timeoutMs: 20_000 }),
  );
  expect(await asked).toBe(42);
  user.end();
  const { traceId } = user.spanContext();
  const own = (): ReadableSpan[] => spans().filter((span) => span.spanContext().traceId === traceId);
  await vi.waitFor(() => expect(own()).toHaveLength(11), { timeout: 60_000 });
  expect(tree(own(), undefined)).toEqual([
    [
      'user',
      [
        'send support',
        ['POST'],
        ['capability sign'],
        ['process support'],
        ['send approvals', ['process approvals']],
        ['send support', ['process support']],
        ['send tools', ['process tools']],
      ],
    ],
  ]);
  // Nothing of it went elsewhere.
  expect(spans().filter((span) => span.name !== 'user' && !span.name.startsWith('spawn '))).toHaveLength(10);
  const of = (name: string): ReadableSpan => own().find((span) => span.name === name) as ReadableSpan;
  expect(of('POST')).toMatchObject({
    kind: 2,
    attributes: {
      'http.request.method': 'POST',
      'http.response.status_code': 200,
      'url.scheme': 'http',
      'server.address': '127.0.0.1',
      'server.port': service.port,
      'holdfast.agent': 'support',
      'holdfast.address': 'support/eva',
    },
  });
  expect(of('capability sign').attributes).toMatchObject({ 'holdfast.capability': 'sign' });
  // What the host does for it is below the span.
  expect(traced).toEqual([of('capability sign').spanContext().spanId]);
  const told = JSON.stringify(
    own().map(({ name, attributes, events, status }) => [name, attributes, events, status]),
  );
  for (const hidden of [canary, 'desk/key', 'llm', 'orders', '?key']) expect(told).not.toContain(hidden);
});

test('a request with a secret that fails, or is not granted, is told without what was asked for', async () => {
  const { spans, named } = sdk();
  const service = await startService((_, response) => void response.writeHead(429).end());
  const provider = createMemoryProvider();
  provider.set('desk/key', 'v1', canary);
  const secrets = {
    llm: { ref: 'desk/key', mode: 'inject', hosts: [service.origin], methods: ['POST'] },
  } as const;
  const runtime = await start(
    {
      externalSecrets: { provider: 'memory' },
      agents: { support: agent('support', 'traced-fetching', { secrets }) },
    },
    { providers: [provider] },
  );
  const support = await runtime.spawn('support');
  expect(await support.ask({ type: 'fetch', url: `${service.origin}/` })).toBe(429);
  expect((await named('POST')).attributes).toMatchObject({
    'http.response.status_code': 429,
    'error.type': '429',
  });
  expect(await support.ask({ type: 'fetch', url: `https://${canary}.example/` })).toBe('SECRET_DENIED');
  const { attributes, status } = await named('HTTP');
  expect([attributes['error.type'], status]).toEqual(['SECRET_DENIED', { code: 2 }]);
  expect(JSON.stringify(spans().map(({ name, attributes }) => [name, attributes]))).not.toContain(canary);
});

test('a delayed event is of its trace as a try anew is, and one that sets itself anew for ever is not', async () => {
  const { spans, named } = sdk();
  const runtime = await startTest(
    { agents: { support: agent('support', 'traced-support'), tools: agent('tools', 'traced') } },
    { threads: true },
  );
  const support = await runtime.spawn('support');
  await runtime.spawn('tools', { id: 'shop' });
  support.send({ type: 'poll' });
  for (let period = 0; period < 15; period++) await runtime.clock.advance(1000);
  support.send({ type: 'stop' });
  await runtime.settled();
  const first = await named('send support');
  const { traceId } = first.spanContext();
  const notes = spans().filter(({ name }) => name === 'process tools');
  expect(notes.map((span) => span.spanContext().traceId)).toEqual(Array.from({ length: 10 }, () => traceId));
});

test('what nobody traces keeps no trace in the thread', async () => {
  const runtime = await startTest({ agents: { tools: agent('tools', 'traced') } });
  const tools = await runtime.spawn('tools');
  delete (threadState() as { traces?: unknown }).traces;
  expect(await tools.ask({ type: 'question' })).toBe(42);
  expect(threadState().traces).toBeUndefined();
  sdk();
  expect(await tools.ask({ type: 'question' })).toBe(42);
  expect(threadState().traces).toBeDefined();
});

const parent = '0af7651916cd43dd8448eb211c80319c';
test.each([true, false])(
  'the traceparent of a request to the gateway is heeded, with a propagator: %s',
  async (propagator) => {
    const { spans, named } = sdk({ propagator });
    const open = await face();
    try {
      const ask = (headers: Record<string, string>) =>
        open.call('POST', '/v1/agents/counter/a/ask?activate=true', { type: 'read' }, headers);
      expect(await ask({ traceparent: `00-${parent}-b7ad6b7169203331-01` })).toMatchObject({ status: 200 });
      const sent = await named('send counter');
      expect([sent.spanContext().traceId, sent.parentSpanContext?.spanId]).toEqual([
        parent,
        'b7ad6b7169203331',
      ]);
      expect((await named('process counter')).spanContext().traceId).toBe(parent);
      expect((await named('spawn counter')).spanContext().traceId).toBe(parent);
      // One that is none begins a trace, as its absence does, and is no reason to refuse a request.
      for (const headers of [{ traceparent: '00-nonsense' }, {}])
        expect(await ask(headers)).toMatchObject({ status: 200 });
      const others = spans()
        .filter(({ name }) => name === 'send counter')
        .slice(1);
      expect(others.map((span) => [span.parentSpanContext, span.spanContext().traceId === parent])).toEqual([
        [undefined, false],
        [undefined, false],
      ]);
      // Nor is what the sampler of another decided.
      const before = spans().length;
      expect(await ask({ traceparent: `00-${parent}-b7ad6b7169203331-00` })).toMatchObject({ status: 200 });
      expect(spans()).toHaveLength(before);
    } finally {
      await open.close();
    }
  },
);
