import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { AgentConfig, RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import type { TidyInput } from '../fixtures/tidy.ts';

async function working(input: Partial<TidyInput> = {}, config: Partial<AgentConfig> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-recycle-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'notes');
  writeFileSync(file, '');
  const runtime = await start({ agents: { tidy: fixture('tidy', { export: 'working', ...config }) } });
  const ref = await runtime.spawn('tidy', { id: 'a', input: { file, id: 'a', ...input } });
  return { runtime, ref, lines: () => readFileSync(file, 'utf8').split('\n').slice(0, -1) };
}

test.each([1, 2])(
  'who cannot go from a thread that is replaced is stopped before it ends, with %i allowed',
  async (maxThreads) => {
    const { runtime, ref, lines } = await working({}, { maxThreads });
    expect(await runtime.recycle('pool', { timeoutMs: 50 })).toEqual({
      threads: 1,
      moved: 0,
      restarted: ['tidy/a'],
    });
    expect(lines()).toEqual(['a begins', 'a cleans up', 'a aborts', 'a begins']);
    expect(ref.incarnation).toBe(2);
    await runtime.stop();
    expect(lines().slice(4)).toEqual(['a cleans up', 'a aborts']);
  },
);

test('one that is not started again is stopped all the same', async () => {
  const { runtime, lines } = await working({}, { supervision: { restart: 'temporary' } });
  expect(await runtime.recycle('pool', { timeoutMs: 50 })).toMatchObject({ restarted: ['tidy/a'] });
  expect(lines()).toEqual(['a begins', 'a cleans up', 'a aborts']);
});

test('a cleanup that does not end keeps nobody from going on, and its thread is ended', async () => {
  const { runtime, ref, lines } = await working({ end: 'hang' }, { maxThreads: 2 });
  const slow = nextEvent<RuntimeEvents['warning']>((listener) => runtime.on('warning', listener));
  expect(await runtime.recycle('pool', { timeoutMs: 50 })).toMatchObject({ restarted: ['tidy/a'] });
  expect(lines()).toEqual(['a begins', 'a cleans up', 'a begins']);
  expect(await slow).toMatchObject({ address: 'tidy/a', stopping: true });
  expect(ref.incarnation).toBe(2);
  expect(runtime.status().pools[0]?.endedThreads).toEqual({ recycled: 1 });
});

test('what waits for one that is stopped with its thread is for its next incarnation', async () => {
  const { runtime, ref } = await working();
  const recycled = runtime.recycle('pool', { timeoutMs: 50 });
  const sent = Array.from({ length: 200 }, () => ref.deliver({ type: 'nothing' }));
  await Promise.all([recycled, ...sent]);
  expect(runtime.status()).toMatchObject({ deadLetters: 0, instances: [{ incarnation: 2 }] });
});
