import { expect, test } from 'vitest';
import type { DeadLetter } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';

const supervision = (state: 'fresh' | 'snapshot') => ({
  state,
  backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 },
});

/** Sends `count` events, with the end of the thread in their middle, and gives what was heard and which letters there are. */
async function interrupted(
  state: 'fresh' | 'snapshot',
  { count = 60, name = 'default', settle = false } = {},
): Promise<{ heard: number; letters: readonly DeadLetter[] }> {
  const agents = { emitting: fixture('emitting', { export: name, supervision: supervision(state) }) };
  const runtime = await start({ agents });
  const ref = await runtime.spawn('emitting', { id: 'a' });
  let heard = 0;
  ref.on('*', () => (heard += 1));
  const half = count / 2;
  const sent: Promise<void>[] = [];
  for (let n = 1; n <= half; n++) sent.push(ref.deliver({ type: 'note', n }));
  if (settle) await Promise.all(sent);
  ref.send({ type: 'exit' });
  for (let n = half + 1; n <= count; n++) sent.push(ref.deliver({ type: 'note', n }));
  await Promise.all(sent);
  return { heard, letters: runtime.deadLetters.list() };
}

const lostOf = (letters: readonly DeadLetter[]): DeadLetter[] =>
  letters.filter(({ lost }) => lost !== undefined);

test('what an instance had told when its thread ended is heard, or counted by one dead letter', async () => {
  const { heard, letters } = await interrupted('fresh');
  const toParent = letters.filter((letter) => letter.toParent === true).length;
  const lost = lostOf(letters);
  expect(lost).toMatchObject([
    { address: 'emitting/a', reason: 'crashed', event: undefined, incarnation: 1, toHost: true },
  ]);
  expect(lost[0]?.lost).toBeGreaterThan(0);
  // Twice for each: to who listens, and to a parent that there is not.
  expect(heard + toParent + (lost[0]?.lost ?? 0)).toBe(120);
});

test('nothing is lost that was told before, or that is handled again from the last state', async () => {
  expect(lostOf((await interrupted('fresh', { settle: true })).letters)).toEqual([]);
  const again = await interrupted('snapshot');
  expect(lostOf(again.letters)).toEqual([]);
  expect(again.heard).toBeGreaterThanOrEqual(60);
});

test('an event that was left behind in the thread is not counted as lost', async () => {
  const { heard, letters } = await interrupted('fresh', { name: 'leaving', settle: true });
  expect([heard, lostOf(letters)]).toEqual([60, []]);
});
