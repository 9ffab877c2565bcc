import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createActor, setup } from 'xstate';
import type { AgentRef, Logger } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';
import type { TidyInput } from '../fixtures/tidy.ts';

const waiting = { timeout: 60_000 };

/** A file that agents write to. */
function notes(): { file: string; lines: () => string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-stop-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'notes');
  writeFileSync(file, '');
  return { file, lines: () => readFileSync(file, 'utf8').split('\n').slice(0, -1) };
}

/** What is logged from warnings on. */
function logged(): { logger: Logger; lines: { fields: Record<string, unknown>; message: string }[] } {
  const lines: { fields: Record<string, unknown>; message: string }[] = [];
  const add = (fields: object, message: string): void => void lines.push({ fields: { ...fields }, message });
  return { logger: { debug() {}, info() {}, warn: add, error: add }, lines };
}

async function tidying(more: { readonly maxThreads?: number; readonly logger?: Logger } = {}) {
  const { file, lines } = notes();
  const { maxThreads = 1, logger } = more;
  const runtime = await start(
    {
      agents: {
        tidy: fixture('tidy', { maxThreads }),
        stuck: fixture('tidy', { threadId: 'other' }),
      },
    },
    logger && { logger },
  );
  const spawn = async (id: string, input: Partial<TidyInput> = {}, agent: 'tidy' | 'stuck' = 'tidy') =>
    (await runtime.spawn(agent, { id, input: { file, id, ...input } })) as AgentRef;
  return { runtime, spawn, lines, file };
}

test('stop beside a stuck thread stops all others, ends that one, and says whose cleanup has not taken place', async () => {
  const { logger, lines: log } = logged();
  const { runtime, spawn, lines } = await tidying({ maxThreads: 2, logger });
  for (const id of ['a', 'b', 'c', 'd']) await spawn(id);
  const stuck = await spawn('s', {}, 'stuck');
  stuck.send({ type: 'spin', ms: 60_000 });
  await expect.poll(lines, waiting).toEqual(['s spins']);
  await runtime.stop({ timeoutMs: 2000 });
  const cleaned = lines().slice(1);
  expect(cleaned.toSorted()).toEqual(['a', 'b', 'c', 'd'].map((id) => `${id} cleans up`));
  // The last started first, within each thread.
  expect(cleaned.indexOf('c cleans up')).toBeLessThan(cleaned.indexOf('a cleans up'));
  expect(cleaned.indexOf('d cleans up')).toBeLessThan(cleaned.indexOf('b cleans up'));
  const cut = log.filter(({ message }) => message.startsWith('stop ended 1 of 5 instances'));
  expect(cut).toMatchObject([{ fields: { count: 1, addresses: ['stuck/s'] } }]);
  expect(log.filter(({ message }) => message.includes('restarted'))).toEqual([]);
  expect(runtime.status()).toMatchObject({ instances: [], pools: [{ threads: [] }, { threads: [] }] });
});

test('an event that is in hand when stop ends its thread is told as cut off, and takes no effect any more', async () => {
  const { runtime, spawn, lines } = await tidying();
  const ref = await spawn('a');
  const heard = ref.deliver({ type: 'spin', ms: 3000 }).catch((error: unknown) => error);
  const behind = ref.deliver({ type: 'spin', ms: 1 }).catch((error: unknown) => error);
  await expect.poll(lines, waiting).toEqual(['a spins']);
  await runtime.stop({ timeoutMs: 500 });
  expect([await heard, await behind]).toMatchObject([
    { code: 'RUNTIME_STOPPED' },
    { code: 'RUNTIME_STOPPED' },
  ]);
  expect(runtime.deadLetters.list()).toMatchObject([
    { reason: 'crashed', event: { ms: 3000 } },
    { reason: 'stopped', event: { ms: 1 } },
  ]);
  // The thread has ended: nothing can follow.
  expect(runtime.status().pools[0]).toMatchObject({ threads: [], endedThreads: { shutdown: 1 } });
  expect(lines()).toEqual(['a spins']);
});

test('3,000 idle instances are all stopped, in the default time', async () => {
  const { logger, lines: log } = logged();
  const { runtime, spawn, lines } = await tidying({ maxThreads: 2, logger });
  for (let n = 0; n < 3000; n += 500)
    await Promise.all(Array.from({ length: 500 }, (_, i) => spawn(String(n + i))));
  await runtime.stop();
  expect(new Set(lines()).size).toBe(3000);
  expect(log).toEqual([]);
});

test('many that are stopped at once, by their references, are all stopped in their threads', async () => {
  const { runtime, spawn, lines } = await tidying({ maxThreads: 2 });
  const refs = await Promise.all(Array.from({ length: 300 }, (_, i) => spawn(String(i))));
  await Promise.all(refs.map((ref) => ref.stop()));
  expect(new Set(lines()).size).toBe(300);
  expect(runtime.status()).toMatchObject({ instances: [], deadLetters: 0 });
});

test('a cleanup that throws costs the others nothing', async () => {
  const { runtime, spawn, lines } = await tidying();
  for (const id of ['a', 'b', 'c']) await spawn(id, id === 'b' ? { end: 'throw' } : {});
  await runtime.stop();
  expect(lines()).toEqual(['c cleans up', 'b cleans up', 'a cleans up']);
});

test('a cleanup that does not end costs those behind it theirs, and only they are named', async () => {
  const { logger, lines: log } = logged();
  const { runtime, spawn, lines } = await tidying({ logger });
  for (const id of ['a', 'b', 'c', 'd']) await spawn(id, id === 'b' ? { end: 'hang' } : {});
  await runtime.stop({ timeoutMs: 2000 });
  expect(lines()).toEqual(['d cleans up', 'c cleans up', 'b cleans up']);
  const cut = log.filter(({ message }) => message.startsWith('stop ended 2 of 4 instances'));
  expect(cut).toMatchObject([{ fields: { count: 2, addresses: ['tidy/b', 'tidy/a'] } }]);
});

test('what an instance is at that is stopped and does not answer is told when it is known, and as it was', async () => {
  const { runtime, spawn, lines } = await tidying();
  const ref = await spawn('a');
  const outcomes = [ref.deliver({ type: 'spin', ms: 6500 })];
  await expect.poll(lines, waiting).toEqual(['a spins']);
  outcomes.push(...Array.from({ length: 40 }, () => ref.deliver({ type: 'spin', ms: 0 })));
  const settled = Promise.allSettled(outcomes);
  await ref.stop();
  // Its address is free, and the place on its thread is not.
  expect(runtime.status()).toMatchObject({ instances: [], deadLetters: 0 });
  expect(runtime.status().pools[0]?.threads).toMatchObject([{ instances: 1 }]);
  const handled = (await settled).filter(({ status }) => status === 'fulfilled').length;
  expect(lines().filter((line) => line === 'a has spun')).toHaveLength(handled);
  expect(lines().at(-1)).toBe('a cleans up');
  const letters = runtime.deadLetters.list();
  expect([handled > 0, letters.length]).toEqual([true, 41 - handled]);
  expect(new Set(letters.map(({ reason }) => reason))).toEqual(new Set(['stopped']));
  await expect.poll(() => runtime.status().pools[0]?.threads[0]?.instances, waiting).toBe(0);
});

test('the end of an await using block stops what runs', async () => {
  const { runtime, spawn, lines } = await tidying();
  {
    await using disposed = runtime;
    await spawn('a');
    expect(disposed.status().instances).toHaveLength(1);
  }
  expect(lines()).toEqual(['a cleans up']);
});

test('stop stops what a machine of the host has invoked', async () => {
  const { runtime, lines, file } = await tidying();
  const tidy = runtime.logic('tidy');
  const owner = setup({ actors: { tidy } }).createMachine({
    invoke: { src: 'tidy', input: { file, id: 'a' } },
  });
  createActor(owner).start();
  await expect.poll(() => runtime.status().instances, waiting).toMatchObject([{ state: 'running' }]);
  await runtime.stop();
  expect(lines()).toEqual(['a cleans up']);
});

test.each(['ref', 'runtime'])(
  'what a cleanup throws when the %s is stopped is told, and a cleanup knows where it is',
  async (what) => {
    const { logger, lines: log } = logged();
    const { runtime, spawn, lines } = await tidying({ logger });
    const refs = [await spawn('a', { end: 'throw' }), await spawn('b', { end: 'tell' })];
    if (what === 'ref') await Promise.all(refs.map((ref) => ref.stop()));
    await runtime.stop();
    expect(lines().toSorted()).toEqual(['a cleans up', 'b cleans up', 'b is tidy/b']);
    await expect
      .poll(() => log.filter(({ message }) => message.endsWith('the cleanup fails')), waiting)
      .toHaveLength(1);
  },
);
