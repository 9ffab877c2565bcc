import { context, metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  InMemorySpanExporter,
  ParentBasedSampler,
  SamplingDecision,
  SimpleSpanProcessor,
  TracerProvider,
  type ReadableSpan,
  type Sampler,
  type TracerProviderOptions,
} from '@opentelemetry/sdk-trace';
import { expect, onTestFinished, test, vi } from 'vitest';
import { start } from '../fixtures/start.ts';
import type { Operation } from '../mailbox/message-observer.ts';
import { collectMetrics } from './fixtures/meter-provider.ts';
import { sdk } from './fixtures/traces.ts';
import { MessageTelemetry } from './messages.ts';

const canary = 'canary-7f3e-never-to-be-seen';
const agent = (threadId: string, file = 'traced') => ({
  type: 'thread-bound' as const,
  threadId,
  maxThreads: 1,
  module: new URL(`./fixtures/${file}.ts`, import.meta.url),
  supervision: { restart: 'temporary' as const },
});
const agents = {
  trader: agent('trading-pool'),
  risk: agent('risk'),
  inside: agent('inside', 'traced-inside'),
};

const ids = (span: ReadableSpan) => ({
  trace: span.spanContext().traceId,
  id: span.spanContext().spanId,
  parent: span.parentSpanContext?.spanId,
});
const ms = ([seconds, nanos]: ReadableSpan['startTime']): number => seconds * 1000 + nanos / 1e6;

test.each([true, false])(
  'an ask is sent and processed in one trace, with a propagator: %s',
  async (propagator) => {
    const { named } = sdk({ propagator });
    const runtime = await start({ agents });
    const ref = await runtime.spawn('risk', { id: 'desk' });
    const off = 500;
    const before = Date.now();
    const user = trace.getTracer('test').startSpan('user');
    const answer = context.with(trace.setSpan(context.active(), user), () => ref.ask({ type: 'question' }));
    expect(await answer).toBe(42);
    const [sent, processed] = [await named('send risk'), await named('process risk')];
    expect(ids(sent)).toMatchObject({ trace: user.spanContext().traceId, parent: user.spanContext().spanId });
    expect(ids(processed)).toMatchObject({ trace: ids(sent).trace, parent: ids(sent).id });
    expect(processed.links.map(({ context }) => context.spanId)).toEqual([ids(sent).id]);
    expect([sent.kind, processed.kind]).toEqual([SpanKind.PRODUCER, SpanKind.CONSUMER]);
    const common = {
      'messaging.system': 'holdfast',
      'messaging.destination.name': 'risk',
      'holdfast.pool': 'risk',
      'holdfast.address': 'risk/desk',
    };
    expect(sent.attributes).toEqual({
      ...common,
      'messaging.operation.name': 'ask',
      'messaging.operation.type': 'send',
    });
    expect(processed.attributes).toEqual({
      ...common,
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
    });
    expect([sent.status.code, processed.status.code]).toEqual([SpanStatusCode.UNSET, SpanStatusCode.UNSET]);
    // The thread's own times, on the same clock: its own would be off by the time that this process has run.
    expect(ms(processed.startTime)).toBeGreaterThanOrEqual(before - off);
    expect(ms(processed.startTime)).toBeGreaterThanOrEqual(ms(sent.startTime) - off);
    expect(ms(processed.endTime)).toBeGreaterThanOrEqual(ms(processed.startTime));
    expect(ms(processed.endTime)).toBeLessThanOrEqual(Date.now() + off);
  },
);

test('an ask that crosses two threads is one tree', async () => {
  const { named } = sdk();
  const runtime = await start({ agents });
  const trader = await runtime.spawn('trader', { id: 'btc' });
  await runtime.spawn('risk', { id: 'desk' });
  expect(await trader.ask({ type: 'consult', to: 'risk/desk' })).toBe(42);
  const first = await named('send trader');
  const [processed, second, last] = [
    await named('process trader'),
    await named('send risk'),
    await named('process risk'),
  ];
  expect(new Set([first, processed, second, last].map((span) => ids(span).trace)).size).toBe(1);
  expect(ids(processed).parent).toBe(ids(first).id);
  expect(ids(second).parent).toBe(ids(first).id);
  expect(ids(last).parent).toBe(ids(second).id);
  expect(last.links.map(({ context }) => context.spanId)).toEqual([ids(second).id]);
  expect(second.attributes).toMatchObject({ 'holdfast.sender': 'trader/btc' });
});

test('spans that an agent starts in its turn are below the send, and what it sends then is below them', async () => {
  const { named } = sdk();
  const runtime = await start({ agents });
  const ref = await runtime.spawn('inside', { id: 'a' });
  await runtime.spawn('risk', { id: 'desk' });
  const inner = (await ref.ask({ type: 'work', to: 'risk/desk' })) as Record<string, string>;
  const sent = await named('send inside');
  expect(inner).toMatchObject({ traceId: ids(sent).trace, parent: ids(sent).id });
  expect(ids(await named('send risk'))).toMatchObject({ trace: ids(sent).trace, parent: inner['spanId'] });
});

test('each send is a span, a run of equal events too, and each is handled once in its order', async () => {
  const { spans } = sdk();
  const runtime = await start({ agents });
  const ref = await runtime.spawn('risk', { id: 'desk' });
  for (let n = 0; n < 300; n += 1) ref.send({ type: 'note' });
  await ref.deliver({ type: 'note' });
  const of = (name: string): ReadableSpan[] => spans().filter((span) => span.name === name);
  await vi.waitFor(() => expect(of('process risk')).toHaveLength(301), { timeout: 60_000 });
  expect(of('send risk')).toHaveLength(301);
  expect(runtime.status().instances[0]).toMatchObject({ handled: 301, mailbox: 0 });
  const sent = of('send risk')
    .slice(0, 300)
    .map((span) => ids(span).id);
  expect(
    of('process risk')
      .slice(0, 300)
      .map((span) => ids(span).parent),
  ).toEqual(sent);
});

test('what fails has the code of the error, and never its text or the event', async () => {
  const { spans, named } = sdk();
  const runtime = await start({ agents });
  const ref = await runtime.spawn('risk', { id: 'desk' });
  await expect(ref.ask({ type: 'note', canary })).rejects.toMatchObject({ code: 'ASK_UNANSWERED' });
  ref.send({ type: 'note', canary, broken: () => canary });
  await expect(ref.ask({ type: 'fail', canary })).rejects.toThrow('a text that no span shows');
  await named('process risk');
  await vi.waitFor(
    () => {
      const types = spans().map(({ name, attributes, status }) => [
        name,
        attributes['error.type'],
        status.code,
      ]);
      expect(types).toEqual(
        expect.arrayContaining([
          ['send risk', 'ASK_UNANSWERED', SpanStatusCode.ERROR],
          ['send risk', 'RangeError', SpanStatusCode.ERROR],
          ['process risk', 'RangeError', SpanStatusCode.ERROR],
        ]),
      );
    },
    { timeout: 60_000 },
  );
  await ref.stop();
  ref.send({ type: 'note', canary });
  expect(spans().at(-1)?.attributes['error.type']).toBe('AGENT_STOPPED');
  const text = JSON.stringify(
    spans().map(({ name, attributes, status, events, links }) => [name, attributes, status, events, links]),
  );
  expect(text).not.toContain(canary);
  expect(text).not.toContain('a text that no span shows');
});

test('a trace that nobody records is handed on as that, and its turns are told to nobody', async () => {
  const { spans } = sdk({ sampler: new AlwaysOffSampler() });
  const runtime = await start({ agents });
  const ref = await runtime.spawn('inside', { id: 'a' });
  // Begun anew in the thread, its trace would be recorded.
  expect(await ref.ask({ type: 'work' })).toMatchObject({ isRecording: false });
  await ref.deliver({ type: 'work' });
  expect(spans()).toEqual([]);
});

test('a sampler and a processor of the user see what a span is of when it begins', async () => {
  const [asked, begun]: [unknown[], unknown[]] = [[], []];
  const sampler: Sampler = {
    shouldSample(_context, _traceId, _name, _kind, attributes) {
      asked.push(attributes['holdfast.address']);
      const isRecorded = attributes['holdfast.address'] === 'risk/desk';
      return { decision: isRecorded ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD };
    },
  };
  class Looking extends SimpleSpanProcessor {
    override onStart(span: Parameters<SimpleSpanProcessor['onStart']>[0]): void {
      begun.push(span.attributes['holdfast.address']);
    }
  }
  const exporter = new InMemorySpanExporter();
  const of = (address: string, options: TracerProviderOptions): void => {
    trace.disable();
    trace.setGlobalTracerProvider(new TracerProvider(options));
    const known = { name: 'risk', threadId: 'risk', grants: [] };
    const clock = { now: () => 0, date: () => 0, setTimeout: () => 0 };
    const scrubText = (text: string): string => text;
    const messages = new MessageTelemetry({ version: '0', agentAt: () => known, scrubText, clock });
    messages.begin('risk', address, 'send')?.ended?.();
  };
  onTestFinished(() => trace.disable());
  for (const address of ['risk/desk', 'risk/other'])
    of(address, { sampler, spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  expect(asked).toEqual(['risk/desk', 'risk/other']);
  expect(exporter.getFinishedSpans()).toHaveLength(1);
  of('risk/third', { spanProcessors: [new Looking({ exporter })] });
  expect(begun).toEqual(['risk/third']);
});

test('what nobody records is sent with one trace for many, and that is the one which it is in', () => {
  sdk({ sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }) });
  const clock = { now: () => 0, date: () => 0, setTimeout: () => 0 };
  const agentAt = () => ({ name: 'risk', threadId: 'risk', grants: [] });
  const messages = new MessageTelemetry({ version: '0', agentAt, scrubText: (text) => text, clock });
  const sent = (n: number) => Array.from({ length: n }, () => messages.begin('risk', 'risk/a', 'send'));
  const roots = sent(300);
  expect(new Set(roots.map((sending) => sending?.trace)).size).toBe(3);
  expect(roots.every((sending) => sending?.ended === undefined && sending?.trace?.told === false)).toBe(true);
  const spanContext = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 0 };
  const within = <T>(run: () => T): T =>
    context.with(trace.setSpanContext(context.active(), spanContext), run);
  const inside = within(() => sent(300));
  expect(new Set(inside.map((sending) => sending?.trace)).size).toBe(1);
  expect(inside[0]?.trace?.headers).toMatchObject({
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`,
  });
  expect(within(() => messages.begin('risk', 'risk/a', 'ask'))?.trace?.headers).toEqual(
    inside[0]?.trace?.headers,
  );
  expect(sent(1)[0]?.trace?.headers?.['traceparent']).not.toContain('a'.repeat(32));
});

test('without an SDK nothing travels with an event', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('inside', { id: 'a' });
  const inner = (await ref.ask({ type: 'work' })) as Record<string, string>;
  expect(inner).toMatchObject({ isRecording: true, parent: undefined });
});

test('an event to an agent whose thread died is traced to its end when it is handled at last', async () => {
  const { spans, named } = sdk();
  const quick = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } };
  const runtime = await start({ agents: { risk: { ...agent('risk'), supervision: quick } } });
  const ref = await runtime.spawn('risk', { id: 'desk' });
  ref.send({ type: 'fail' });
  expect(await ref.ask({ type: 'question' })).toBe(42);
  await named('process risk');
  await vi.waitFor(
    () => {
      const processed = spans().filter(({ name }) => name === 'process risk');
      expect(processed.map(({ attributes }) => attributes['error.type'])).toEqual(['RangeError', undefined]);
    },
    { timeout: 60_000 },
  );
});

test('what a thread makes up is left alone', () => {
  const { spans } = sdk();
  const clock = { now: () => 0, date: () => 0, setTimeout: () => 0 };
  const known = { name: 'risk', threadId: 'risk', grants: [] };
  const agentAt = (address: string) => (address.startsWith('risk/') ? known : undefined);
  const messages = new MessageTelemetry({ version: '0', agentAt, scrubText: (text) => text, clock });
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const good = { address: 'risk/a', headers: { traceparent }, sentAt: 0, startedAt: 1, endedAt: 2 };
  const made = { ...good, address: 'made-up/a' };
  for (const report of [
    made,
    { ...good, endedAt: NaN },
    { ...good, headers: 'x' },
    { ...good, from: 5 },
    null,
    7,
  ])
    messages.handled(report, 'risk');
  expect(spans()).toEqual([]);
  messages.handled(good, 'another');
  messages.handled({ ...good, from: 'made-up/b' }, 'risk');
  expect(spans().map(({ name }) => name)).toEqual(['send risk', 'process risk']);
  expect(spans()[0]?.attributes).not.toHaveProperty('holdfast.sender');
});

test('durations are told of an agent, and no address is read for them', () => {
  const fake = collectMetrics();
  const clock = { now: () => 0, date: () => 0, setTimeout: () => 0 };
  const known = ['risk', 'trader'].map((name) => ({ name, threadId: `pool of ${name}`, grants: [] }));
  const agentAt = (address: string) => known.find(({ name }) => address.startsWith(`${name}/`));
  const scrubText = vi.fn((text: string) => text);
  const messages = new MessageTelemetry({ version: '0', agentAt, scrubText, clock });
  messages.measure(metrics.getMeter('test'));
  const ends: readonly [string, Operation, unknown?][] = [
    ['risk/a', 'ask'],
    ['risk/b', 'ask', new RangeError('too high')],
    ['risk/c', 'ask'],
    ['risk/a', 'deliver'],
    ['trader/a', 'ask'],
  ];
  for (const [address, operation, error] of ends)
    messages.begin(agentAt(address)?.name ?? '', address, operation)?.ended?.(error);
  const of = (name: string, operation: string, more = {}): string =>
    JSON.stringify({
      'messaging.system': 'holdfast',
      'messaging.operation.name': operation,
      'messaging.operation.type': 'send',
      'messaging.destination.name': name,
      'holdfast.pool': `pool of ${name}`,
      ...more,
    });
  expect(fake.measured['messaging.client.operation.duration']).toEqual({
    [of('risk', 'ask')]: [0, 0],
    [of('risk', 'ask', { 'error.type': 'RangeError' })]: [0],
    [of('risk', 'deliver')]: [0],
    [of('trader', 'ask')]: [0],
  });
  expect(scrubText).not.toHaveBeenCalled();
});
