import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const good = `export { default } from ${JSON.stringify(new URL('../fixtures/mover.ts', import.meta.url).href)};\n`;

/** An agent whose module can be written anew. */
async function edited(maxThreads: number) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-kept-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'agent.mjs');
  const write = (text: string): void => writeFileSync(file, text);
  write(good);
  const runtime = await start({
    agents: {
      mover: fixture('mover', {
        module: pathToFileURL(file),
        maxThreads,
        supervision: { backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 } },
      }),
    },
  });
  const ref = await runtime.spawn('mover', { id: 'a' });
  await ref.deliver({ type: 'add', n: 3 });
  return { runtime, ref, write };
}

describe('a thread that is to be replaced, with room for one more,', () => {
  test.each([
    ['cannot be read', 'export default {', 'SyntaxError|Unexpected'],
    ['throws', 'throw new Error("not today");', 'not today'],
    ['is not there in part', 'export const other = 1;', 'AGENT_EXPORT_INVALID|default'],
    ['ends the thread', 'process.exit(3);', 'exited with code 3'],
  ])('goes on when the module %s that its successor would run', async (_what, text, why) => {
    const { runtime, ref, write } = await edited(2);
    const warning = nextEvent<RuntimeEvents['warning']>((listener) => runtime.on('warning', listener));
    write(text);
    const [before] = runtime.status().pools[0]?.threads ?? [];
    expect(await runtime.recycle('pool')).toEqual({
      threads: 0,
      moved: 0,
      restarted: [],
      kept: [{ thread: 'holdfast:pool:1', why: expect.stringMatching(why) as string }],
    });
    expect(await warning).toMatchObject({
      thread: 'holdfast:pool:1',
      message: expect.stringMatching(/is not replaced and goes on/) as string,
    });
    expect(await ref.ask({ type: 'sum' })).toMatchObject({ sum: 3 });
    expect(ref.incarnation).toBe(1);
    const [pool] = runtime.status().pools;
    expect(pool).toMatchObject({ health: 'open', threads: [{ thread: before?.thread, state: 'ready' }] });
    write(good);
    expect(await runtime.recycle('pool')).toEqual({ threads: 1, moved: 1, restarted: [] });
    expect(await ref.ask({ type: 'sum' })).toMatchObject({ sum: 3 });
  });
});

test('with no room the state of one that cannot be started again is kept until it can', async () => {
  const { runtime, ref, write } = await edited(1);
  write('export default {');
  await runtime.recycle('pool');
  await expect.poll(() => runtime.status().instances[0]?.state, { timeout: 60_000 }).toBe('quarantined');
  write(good);
  await runtime.recycle('pool');
  await ref.resume();
  expect(await ref.ask({ type: 'sum' })).toMatchObject({ sum: 3 });
});

describe.skipIf(process.platform === 'win32')('without file descriptors', () => {
  const script = fileURLToPath(new URL('../fixtures/without-descriptors.ts', import.meta.url));
  const run = async (maxThreads: number): Promise<unknown> => {
    const command = `ulimit -n 60 && exec "${process.execPath}" -C holdfast-source "${script}" ${maxThreads}`;
    const { stdout } = await promisify(execFile)('bash', ['-c', command], { timeout: 60_000 });
    return JSON.parse(stdout);
  };
  const moved = { threads: 1, moved: 1, restarted: [] };

  test('a thread is kept where there is room for another, and is replaced when there are descriptors again', async () => {
    const kept = [{ thread: 'holdfast:pool:1', why: expect.stringContaining('holdfast:pool:2') as string }];
    expect(await run(2)).toEqual({
      usedUp: 'EMFILE',
      without: { threads: 0, moved: 0, restarted: [], kept },
      withThem: moved,
      sum: 3,
      incarnation: 1,
      health: 'open',
    });
  });

  test('one that has left the only thread waits, and goes on as it was when there are descriptors again', async () => {
    expect(await run(1)).toEqual({
      usedUp: 'EMFILE',
      without: moved,
      withThem: moved,
      sum: 3,
      incarnation: 1,
      health: 'open',
    });
  });
});
