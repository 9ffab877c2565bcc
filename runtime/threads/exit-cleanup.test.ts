import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { agent, type RuntimeEvents } from 'holdfast';
import type exiting from '../fixtures/exiting.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const never = { restart: 'temporary' } as const;

/** Two instances on one thread, and what they note. */
async function rig(killMs = 15_000) {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-exiting-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'notes');
  const runtime = await start({
    agents: { exiting: agent<typeof exiting>(fixture('exiting', { supervision: never })) },
    threads: { pool: { watchdog: { warnMs: 0, killMs } } },
  });
  const [a] = [
    await runtime.spawn('exiting', { id: 'a', input: { file, name: 'a' } }),
    await runtime.spawn('exiting', { id: 'b', input: { file, name: 'b' } }),
  ];
  const ended = nextEvent<RuntimeEvents['thread']>(
    (listener) => runtime.on('thread', listener),
    ({ state }) => state === 'exited',
    20_000,
  );
  const noted = async (sign: string): Promise<string[]> =>
    (await readFile(file, 'utf8'))
      .split('\n')
      .filter((line) => line.startsWith(sign))
      .map((line) => line.slice(2));
  return { runtime, a, ended, noted };
}

const all = ['a', 'b'].flatMap((name) => [
  `callback of ${name}`,
  `callback of ${name}/child`,
  `promise of ${name}/child`,
]);

test.each(['exit', 'throw', 'reject', 'exit in a callback', 'throw in cleanup'] as const)(
  'what all instances of a thread had begun is cleaned up when it ends by itself, the last one first: %s',
  async (how) => {
    const { a, ended, noted } = await rig();
    a.send({ type: 'go', how });
    await ended;
    expect((await noted('+')).toSorted()).toEqual(all.toSorted());
    const cleanedUp = await noted('-');
    expect(cleanedUp.toSorted()).toEqual(all.toSorted());
    expect(cleanedUp.map((what) => what.includes('of b'))).toEqual([true, true, true, false, false, false]);
  },
);

test('what is ended from outside cleans up nothing: nothing of a thread that hangs can run', async () => {
  const { a, ended, noted } = await rig(500);
  a.send({ type: 'go', how: 'hang' });
  expect(await ended).toMatchObject({ cause: 'hang' });
  expect(await noted('-')).toEqual([]);
});

test('cleanup that never returns is ended by the watchdog', async () => {
  const { a, ended, noted } = await rig(500);
  a.send({ type: 'go', how: 'never clean up' });
  expect(await ended).toMatchObject({ cause: 'hang' });
  expect(await noted('-')).toEqual(['callback of b']);
});
