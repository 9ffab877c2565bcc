import { expect, onTestFinished, test } from 'vitest';
import { diag, DiagLogLevel, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { fixture, start } from '../fixtures/start.ts';
import { version } from '../base/version.ts';
import { inSpawnSpan } from './spawn-span.ts';
import { traceSpans } from './fixtures/tracer-provider.ts';

test('a spawn is a span from the call until the instance runs, with where it runs', async () => {
  const spans = traceSpans();
  const runtime = await start({ agents: { counter: fixture('counter', { threadId: 'counters' }) } });
  const spawning = runtime.spawn('counter');
  expect(spans).toMatchObject([
    { name: 'spawn counter', ended: 0, attributes: { 'holdfast.agent': 'counter' } },
  ]);
  expect(spans[0]?.attributes).not.toHaveProperty('holdfast.address');
  const ref = await spawning;
  expect(spans).toEqual([
    {
      scope: ['holdfast', version],
      name: 'spawn counter',
      kind: SpanKind.INTERNAL,
      attributes: {
        'holdfast.agent': 'counter',
        'holdfast.pool': 'counters',
        'holdfast.address': 'counter/1',
        'holdfast.thread': ref.thread,
      },
      status: undefined,
      extras: [],
      ended: 1,
    },
  ]);
});

test('a spawn that fails has the code of its error, and the address when its id was chosen', async () => {
  const spans = traceSpans();
  const runtime = await start({ agents: { counter: fixture('counter') } });
  await runtime.spawn('counter', { id: 'a b' });
  await expect(runtime.spawn('counter', { id: 'a b' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
  await runtime.stop();
  await expect(runtime.spawn('counter')).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
  const common = { 'holdfast.agent': 'counter', 'holdfast.pool': 'pool' };
  expect(spans.slice(1)).toMatchObject([
    { name: 'spawn counter', status: { code: SpanStatusCode.ERROR }, ended: 1 },
    { name: 'spawn counter', status: { code: SpanStatusCode.ERROR }, ended: 1 },
  ]);
  expect(spans.slice(1).map(({ attributes }) => attributes)).toEqual([
    { ...common, 'holdfast.address': 'counter/a%20b', 'error.type': 'ADDRESS_TAKEN' },
    { ...common, 'error.type': 'RUNTIME_STOPPED' },
  ]);
});

test("an agent's own error while it starts is told by its name, never by its message", async () => {
  const spans = traceSpans();
  const runtime = await start({ agents: { failing: fixture('failing-start') } });
  await expect(runtime.spawn('failing')).rejects.toThrow('cannot begin');
  expect(spans).toMatchObject([
    { attributes: { 'error.type': 'SyntaxError' }, status: { code: SpanStatusCode.ERROR }, extras: [] },
  ]);
  expect(JSON.stringify(spans)).not.toContain('cannot begin');
});

test('a name that is not declared makes no span name of its own', async () => {
  const spans = traceSpans();
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const { spawn } = runtime as { spawn: (name: string, options: object) => Promise<unknown> };
  await expect(spawn('countre', { id: 'a' })).rejects.toMatchObject({ code: 'AGENT_UNKNOWN' });
  expect(spans).toMatchObject([
    { name: 'spawn', attributes: { 'holdfast.agent': 'countre', 'error.type': 'AGENT_UNKNOWN' } },
  ]);
  expect(Object.keys(spans[0]?.attributes ?? {})).toEqual(['holdfast.agent', 'error.type']);
});

test('an id that no address can be made of is refused before there is a span', async () => {
  const spans = traceSpans();
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const spawning = runtime.spawn('counter', { id: '\ud800' });
  await expect(spawning).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  expect(spans).toEqual([]);
});

test('a tracer provider that is registered after createRuntime is used from then on', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  await runtime.spawn('counter');
  const spans = traceSpans();
  await runtime.spawn('counter');
  expect(spans.map(({ attributes }) => attributes['holdfast.address'])).toEqual(['counter/2']);
});

test('an instance that lost its thread again before the span ended has no thread', async () => {
  const spans = traceSpans();
  const facts = { version, agent: 'counter', pool: 'pool' };
  await inSpawnSpan(facts, () => Promise.resolve({ address: 'counter/1', thread: -1 }));
  expect(spans[0]?.attributes).toEqual({
    'holdfast.agent': 'counter',
    'holdfast.pool': 'pool',
    'holdfast.address': 'counter/1',
  });
});

test.each([
  ['a thrown text', 'canary-text', '_OTHER'],
  ['nothing', undefined, '_OTHER'],
  [
    'an error whose name is a sentence',
    Object.assign(new Error('m'), { name: 'canary in a name' }),
    '_OTHER',
  ],
  ['an error with a name too long', Object.assign(new Error('m'), { name: 'N'.repeat(65) }), '_OTHER'],
  ['a foreign error with a code', Object.assign(new TypeError('m'), { code: 'E_CANARY' }), 'TypeError'],
])('%s gets an error.type that is a name or none', async (_what, thrown, type) => {
  const spans = traceSpans();
  const facts = { version, agent: 'counter', pool: 'pool' };
  // eslint-disable-next-line typescript/prefer-promise-reject-errors
  const spawning = inSpawnSpan(facts, () => Promise.reject(thrown));
  await expect(spawning.catch((error: unknown) => ({ error }))).resolves.toEqual({ error: thrown });
  expect(spans[0]?.attributes['error.type']).toBe(type);
  expect(spans[0]?.ended).toBe(1);
});

test('an SDK that throws costs its own span, not the spawn', async () => {
  const said: unknown[] = [];
  const note = (...words: unknown[]): void => void said.push(words);
  diag.setLogger(
    { error: note, warn: note, info: note, debug: note, verbose: note },
    { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true },
  );
  trace.setGlobalTracerProvider({
    getTracer() {
      throw new Error('no tracer today');
    },
  });
  onTestFinished(() => {
    trace.disable();
    diag.disable();
  });
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const ref = await runtime.spawn('counter');
  expect(await ref.ask({ type: 'read' })).toBe(0);
  await expect(runtime.spawn('counter', { id: '1' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
  // Of two spawns and an ask.
  expect(said).toMatchObject(Array.from({ length: 3 }, () => ['holdfast: telemetry failed', {}]));
});
