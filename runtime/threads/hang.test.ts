import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AgentRef, Runtime, RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start, startTest } from '../fixtures/start.ts';

const quick = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } };
/** Longer than a busy machine takes to load a module. */
const watchdog = { warnMs: 200, killMs: 1000 };

async function stuck(more: Partial<Parameters<typeof start>[0]['threads'] & object>[string] = {}) {
  const runtime = await start({
    agents: { stuck: fixture('stuck', { supervision: quick }) },
    threads: { pool: { watchdog, ...more } },
  });
  const [a, b] = [await runtime.spawn('stuck', { id: 'a' }), await runtime.spawn('stuck', { id: 'b' })];
  return { runtime, a, b };
}

async function hiding(): Promise<AgentRef> {
  const runtime = await start({
    agents: { hiding: fixture('hiding', { supervision: { restart: 'temporary' } }) },
    threads: { pool: { watchdog } },
  });
  return runtime.spawn('hiding');
}

const runs = (runtime: Runtime, address: string, incarnation: number): Promise<RuntimeEvents['agent']> =>
  nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    (event) => event.address === address && event.incarnation === incarnation && event.state === 'running',
  );

const ended = (ref: AgentRef): Promise<string> =>
  new Promise((resolve) => {
    ref.watch(({ reason }) => resolve(reason));
  });

describe('a thread whose turn does not end', () => {
  test('is ended; each instance on it goes on, and the event in hand is a poison letter', async () => {
    const { runtime, a, b } = await stuck();
    const reasons = Promise.all([ended(a), ended(b)]);
    const again = Promise.all([runs(runtime, 'stuck/a', 2), runs(runtime, 'stuck/b', 2)]);
    const fatal = a.ask({ type: 'for ever' }, { timeoutMs: 20_000 });
    const behind = [a.ask({ type: 'ping' }), b.ask({ type: 'ping' })];
    await expect(fatal).rejects.toMatchObject({
      code: 'THREAD_HUNG',
      message: expect.stringContaining('"for ever" for stuck/a') as string,
    });
    expect(await reasons).toEqual(['hang', 'hang']);
    await again;
    expect(await Promise.all(behind)).toEqual(['pong', 'pong']);
    expect(runtime.deadLetters.list()).toMatchObject([
      {
        address: 'stuck/a',
        reason: 'poison',
        event: { type: 'for ever' },
        evidence: { cause: 'hang', thread: 'holdfast:pool:1', error: { code: 'THREAD_HUNG' } },
      },
    ]);
    expect(runtime.status().pools[0]).toMatchObject({ endedThreads: { hang: 1 }, peakThreads: 1 });
  });

  test('is warned about before, with the agent, the instance and the type of the event', async () => {
    const { runtime, a } = await stuck({ watchdog: { warnMs: 40, killMs: 0 } });
    const warning = nextEvent<RuntimeEvents['warning']>(
      (listener) => runtime.on('warning', listener),
      ({ message }) => message.includes('takes long'),
    );
    expect(runtime.status().pools[0]?.threads[0]).not.toHaveProperty('slow');
    a.send({ type: 'for ms', ms: 300, secret: 'canary' });
    const told = await warning;
    const slow = runtime.status().pools[0]?.threads[0]?.slow;
    expect(slow).toEqual({ ms: expect.any(Number) as number, address: 'stuck/a' });
    expect(slow?.ms).toBeGreaterThanOrEqual(40);
    expect(told).toMatchObject({
      agent: 'stuck',
      address: 'stuck/a',
      type: 'for ms',
      thread: 'holdfast:pool:1',
    });
    expect(JSON.stringify(told)).not.toContain('canary');
    expect(await a.ask({ type: 'ping' })).toBe('pong');
    expect(a.incarnation).toBe(1);
  });

  test.each(['hide', 'hide idle'] as const)(
    'is ended whatever it writes into the memory that it shares with the host (%s)',
    async (type) => {
      const ref = await hiding();
      const reason = ended(ref);
      ref.send({ type });
      expect(await reason).toBe('hang');
    },
  );

  test('is ended too when what does not end is no turn; no event is blamed', async () => {
    const { runtime, a, b } = await stuck();
    const again = Promise.all([runs(runtime, 'stuck/a', 2), runs(runtime, 'stuck/b', 2)]);
    a.send({ type: 'for ever later' });
    await again;
    expect(await b.ask({ type: 'ping' })).toBe('pong');
    expect(runtime.deadLetters.list()).toEqual([]);
    expect(runtime.status().pools[0]).toMatchObject({ endedThreads: { hang: 1 } });
  });
});

test('a thread that hears nothing any more is ended as soon as something is asked of it', async () => {
  const ref = await hiding();
  const reason = ended(ref);
  await ref.deliver({ type: 'mute' });
  const asked = ref.ask({ type: 'ping' }, { timeoutMs: 20_000 });
  await expect(asked).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  expect(await reason).toBe('hang');
});

test('a busy thread whose turns end is neither warned about nor ended', async () => {
  const { runtime, a, b } = await stuck({ watchdog: { warnMs: 500, killMs: 1000 } });
  const warnings: unknown[] = [];
  runtime.on('warning', (warning) => warnings.push(warning));
  for (let i = 0; i < 60; i++) (i % 2 === 0 ? a : b).send({ type: 'for ms', ms: 25 });
  expect(await a.ask({ type: 'ping' })).toBe('pong');
  expect(warnings).toEqual([]);
  expect([a.incarnation, b.incarnation]).toEqual([1, 1]);
});

describe('a thread that the operating system holds', () => {
  /** A pipe that nobody writes to until `release`. */
  function pipe(): { readonly path: string; release: () => void } {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-pipe-'));
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const end = openSync(path, 'r+');
    let open = true;
    const release = (): void => {
      if (!open) return;
      open = false;
      writeSync(end, 'x');
      closeSync(end);
    };
    onTestFinished(() => {
      release();
      rmSync(folder, { recursive: true });
    });
    return { path, release };
  }

  test('keeps its place; its instances go on only when the system lets go of it', async () => {
    const { path, release } = pipe();
    const { runtime, a, b } = await stuck();
    const reasons = Promise.all([ended(a), ended(b)]);
    a.send({ type: 'read', pipe: path });
    expect(await reasons).toEqual(['hang', 'hang']);
    expect(runtime.status().pools[0]?.threads).toMatchObject([{ n: 1, state: 'stuck' }]);
    const again = Promise.all([runs(runtime, 'stuck/a', 2), runs(runtime, 'stuck/b', 2)]);
    const exited = nextEvent<RuntimeEvents['thread']>(
      (listener) => runtime.on('thread', listener),
      ({ state }) => state === 'exited',
    );
    release();
    expect(await exited).toMatchObject({ cause: 'hang', name: 'holdfast:pool:1' });
    await again;
    expect(await b.ask({ type: 'ping' })).toBe('pong');
    expect(runtime.status().pools[0]).toMatchObject({ peakThreads: 1, startedThreads: 2 });
  });

  test('does not hold up stop, which names it', async () => {
    const { path } = pipe();
    const { runtime, a } = await stuck();
    const warning = nextEvent<RuntimeEvents['warning']>(
      (listener) => runtime.on('warning', listener),
      ({ message }) => message.includes('do not end'),
    );
    const reason = ended(a);
    a.send({ type: 'read', pipe: path });
    await reason;
    await runtime.stop({ timeoutMs: 200 });
    expect(await warning).toMatchObject({ threads: ['holdfast:pool:1'] });
  });
});

test.each([false, true])('the test kit shows a hang in its own time (on threads: %s)', async (threads) => {
  const runtime = await startTest({ agents: { counter: fixture('counter') } }, { threads });
  const ref = await runtime.spawn('counter', { id: 'a' });
  const fault = runtime.faults.hangThread('counter/a');
  await runtime.settled();
  const reason = ended(ref);
  const answer = ref.ask({ type: 'read' }, { timeoutMs: 60_000 });
  await runtime.clock.advance(14_000);
  expect(fault.fired).toBe(true);
  expect(ref.incarnation).toBe(1);
  await runtime.clock.advance(5000);
  expect(await reason).toBe('hang');
  expect(await answer).toBe(0);
  expect(ref.incarnation).toBe(2);
});
