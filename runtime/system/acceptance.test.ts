// What other runtimes for actors have got wrong, one test each, named by the property.
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { defineCapability, type AgentConfig, type AgentRef, type Runtime } from 'holdfast';
import { numberOf } from '../../actors/placement.ts';
import { fixture, start } from '../fixtures/start.ts';
import { startWorker } from '../threads/os-thread.ts';
import { openRuntime } from '../runtime.ts';
import { createMemoryProvider } from '../secrets/fixtures/memory-provider.ts';
import { traceSpans } from '../telemetry/fixtures/tracer-provider.ts';

const quick = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } };
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Resolves when the runtime's status is as wanted. */
async function seen(runtime: Runtime, wanted: (status: ReturnType<Runtime['status']>) => boolean) {
  await expect.poll(() => wanted(runtime.status()), { timeout: 60_000 }).toBe(true);
}

const ended = (ref: AgentRef): Promise<string> =>
  new Promise((resolve) => {
    ref.watch(({ reason }) => resolve(reason));
  });

describe('Thread exits / OOMs / hangs with 3 actors on it → each gets its own strategy, asks in flight reject with the reason, pool size returns to target', () => {
  test.each([
    ['exit', 'THREAD_CRASHED'],
    ['oom', 'THREAD_OUT_OF_MEMORY'],
    ['hang', 'THREAD_HUNG'],
  ] as const)('%s', async (cause, code) => {
    const [maxThreads, minThreads] = [3, 2];
    const agent = (supervision: AgentConfig['supervision']) =>
      fixture('victim', { maxThreads, placement: { key: true }, supervision: { ...quick, ...supervision } });
    const runtime = await start({
      agents: {
        permanent: agent({ restart: 'permanent' }),
        transient: agent({ restart: 'transient' }),
        temporary: agent({ restart: 'temporary' }),
      },
      threads: {
        pool: {
          minThreads,
          // What takes memory until there is none takes its time on a busy machine.
          watchdog: { warnMs: 0, killMs: cause === 'hang' ? 300 : 60_000 },
          resourceLimits: { maxOldGenerationSizeMb: 24 },
        },
      },
    });
    // The same id is on the same thread.
    const refs = [];
    for (const name of ['permanent', 'transient', 'temporary'] as const)
      refs.push(await runtime.spawn(name, { id: 'a' }));
    const n = numberOf('a', maxThreads);
    expect(new Set(refs.map(({ thread }) => thread)).size).toBe(1);
    const [permanent, transient, temporary] = refs as [AgentRef, AgentRef, AgentRef];

    const reasons = Promise.all(refs.map(ended));
    const asks = refs.map((ref) =>
      ref.ask({ type: 'wait' }, { timeoutMs: 20_000 }).catch((error: unknown) => error),
    );
    await Promise.all(refs.map((ref) => ref.deliver({ type: 'note', n: 1 })));
    const behind = [permanent, transient].map((ref) => ref.deliver({ type: 'note', n: 2 }));
    permanent.send({ type: cause });

    for (const ask of asks) expect(await ask).toMatchObject({ code });
    expect(await reasons).toEqual([cause, cause, cause]);
    await Promise.all(behind);
    await seen(runtime, ({ instances }) => instances.every(({ state }) => state === 'running'));
    expect(runtime.status().instances).toMatchObject([
      { address: 'permanent/a', incarnation: 2 },
      { address: 'transient/a', incarnation: 2 },
    ]);
    expect(runtime.get(temporary.address)).toBeUndefined();
    const ready = (): (number | undefined)[] =>
      runtime.status().pools[0]?.threads.flatMap(({ n, state }) => (state === 'ready' ? [n] : [])) ?? [];
    await expect.poll(() => ready().length, { timeout: 60_000 }).toBeGreaterThanOrEqual(minThreads);
    expect(ready()).toContain(n);
    expect(runtime.status().pools[0]).toMatchObject({ endedThreads: { [cause]: 1 } });
    expect(runtime.status().pools[0]?.peakThreads).toBeLessThanOrEqual(maxThreads);
  });
});

test('Worker never sends `ready` → spawn rejects at the deadline, siblings still starting are terminated, `shutdown()` still ends', async () => {
  const exits: Promise<number>[] = [];
  const threads = { slow: { startTimeoutMs: 60_000 }, pool: { startTimeoutMs: 300 } };
  const agents = {
    counter: fixture('counter', { maxThreads: 2 }),
    slow: fixture('counter', { threadId: 'slow', maxThreads: 2 }),
  };
  const runtime = await openRuntime(
    { agents, threads },
    { logger: silent },
    {
      startThread: (spec) => {
        const url = new URL('../fixtures/never-ready.ts', import.meta.url);
        const thread = startWorker(spec, { url });
        exits.push(new Promise((resolve) => void thread.on('exit', resolve)));
        return thread;
      },
    },
  );
  onTestFinished(() => runtime.stop());
  const outcome = async (agent: 'counter' | 'slow'): Promise<string> =>
    runtime.spawn(agent).then(
      () => 'runs',
      (error: { code: string }) => error.code,
    );
  const siblings = Promise.all([outcome('slow'), outcome('slow')]);
  expect(await Promise.all([outcome('counter'), outcome('counter')])).toEqual([
    'THREAD_START_TIMEOUT',
    'THREAD_START_TIMEOUT',
  ]);
  await runtime.stop({ timeoutMs: 8000 });
  expect(await siblings).toEqual(['RUNTIME_STOPPED', 'RUNTIME_STOPPED']);
  await Promise.all(exits);
  expect(exits.length).toBeGreaterThanOrEqual(4);
  expect(runtime.status().pools.flatMap(({ threads }) => threads)).toEqual([]);
});

test('Control messages pass a full mailbox; stop works while the mailbox is full and while the actor is busy', async () => {
  const capacity = 20;
  const runtime = await start({ agents: { process: fixture('process', { mailbox: { capacity } }) } });
  const ref = await runtime.spawn('process', { id: 'a' });
  const fill = async (ms: number): Promise<Promise<string>[]> => {
    const sent = [
      { type: 'spin', ms },
      ...Array.from({ length: capacity }, (_, n) => ({ type: 'note', n })),
    ].map((event) =>
      ref.deliver(event).then(
        () => 'handled',
        (error: { code: string }) => error.code,
      ),
    );
    expect(await sent.at(-1)).toBe('MAILBOX_FULL');
    return sent;
  };
  const first = await fill(100);
  const mirrored = new Promise((resolve) => {
    ref.subscribe((snapshot) => resolve(snapshot.status));
  });
  const told = Promise.all([ref.snapshot(), ref.can({ type: 'note', n: 1 })]);
  expect(await mirrored).toBe('active');
  expect((await told)[0]).toMatchObject({ context: { seen: Array.from({ length: 19 }, (_, n) => n) } });
  expect(new Set(await Promise.all(first.slice(0, -1)))).toEqual(new Set(['handled']));

  const second = await fill(200);
  await ref.stop();
  const fates = await Promise.all(second);
  expect(fates.filter((fate) => fate === 'MAILBOX_FULL')).toHaveLength(1);
  expect(new Set(fates)).toContain('AGENT_STOPPED');
  expect(runtime.status().instances).toEqual([]);
  const unhandled = fates.filter((fate) => fate !== 'handled').length;
  expect(runtime.deadLetters.list()).toHaveLength(1 + unhandled);
});

test('No log line, span, dead letter or inspector frame contains a secret canary', async () => {
  const CANARY = 'canary-51d07c3e-never-to-be-seen';
  const secrets = createMemoryProvider();
  secrets.set('desk/key', '1', CANARY);
  const spans = traceSpans();
  const lines: string[] = [];
  const write = (...of: unknown[]): void => void lines.push(inspect(of, { depth: null, showHidden: true }));
  const leaking = defineCapability('sign', (secret) =>
    secret.use((value): never => {
      const key = String(value);
      throw Object.assign(new TypeError(`the key ${key} does not fit`), { key });
    }),
  );
  const runtime = await start(
    {
      externalSecrets: { provider: 'memory' },
      agents: {
        signer: fixture('signer', {
          threadId: 'signer',
          secrets: { key: { ref: 'desk/key', mode: 'capability', capabilities: ['sign'] } },
        }),
        victim: fixture('victim', {
          mailbox: { capacity: 3, warnBytes: 100, maxBytes: 2000 },
          supervision: { ...quick, intensity: { restarts: 2, withinMs: 60_000 } },
        }),
      },
      threads: { pool: { watchdog: { warnMs: 30, killMs: 200 } } },
    },
    {
      logger: { debug: write, info: write, warn: write, error: write },
      providers: [secrets],
      capabilities: [leaking],
    },
  );
  for (const type of ['warning', 'thread', 'agent', 'secret', 'escalation'] as const) runtime.on(type, write);
  // The event of a letter is what was sent, by reference; the rest of it is the runtime's word.
  runtime.on('dead-letter', ({ event: _event, ...letter }) => write(letter));

  const input = { secret: CANARY };
  const signer = await runtime.spawn('signer', { id: 'a', input: { label: 'key', ...input } });
  await signer.deliver({ type: 'sign' });
  await expect
    .poll(async () => ((await signer.snapshot()) as unknown as { context: { error?: string } }).context.error)
    .toBeDefined();
  const victim = await runtime.spawn('victim', { id: 'a', input: input });
  const send = (type: string, more: object = {}) =>
    victim
      .deliver({ type, body: CANARY, ...more }, { timeoutMs: 10_000 })
      .catch((error: unknown) => write(error));
  await send('note', { n: 1, bulk: 'x'.repeat(500) });
  await send('note', { n: CANARY, bulk: 'x'.repeat(5000) });
  await send('note', { n: () => CANARY });
  await Promise.all(Array.from({ length: 6 }, () => send('note', { n: CANARY })));
  await runtime.spawn('victim', { id: 'b', input: () => CANARY }).catch(write);
  await victim.ask({ type: 'note', n: 1, body: CANARY }).catch(write);
  for (const fate of ['exit', 'hang', 'fail']) await send(fate);
  await send('note');
  write(runtime.status());
  await runtime.stop();

  const told = [...lines, inspect(spans, { depth: null })].join('\n');
  // It has told of all that: a test in which nothing was said would prove nothing.
  for (const word of [
    'dead letter',
    'takes long',
    'quarantined',
    'MESSAGE_TOO_LARGE',
    'poison',
    'hang',
    'victim/a',
  ])
    expect(told).toContain(word);
  expect(spans.length).toBeGreaterThan(0);
  expect(told).not.toContain(CANARY);
});
