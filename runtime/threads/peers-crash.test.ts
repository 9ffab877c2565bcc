import { describe, expect, test } from 'vitest';
import type { DeadLetter } from 'holdfast';
import { lettered, places, talking, upTo } from '../fixtures/talking.ts';

const patient = { timeout: 60_000, interval: 20 };

/** Numbers of the events that became dead letters. */
const numbers = (letters: readonly { event: unknown }[]): number[] =>
  letters.map(({ event }) => (event as { n: number }).n);

describe('what an agent sends to one whose thread dies', () => {
  test('goes on to the next incarnation in order; the event in hand is a dead letter', async () => {
    const { talker, recorder, letters } = await talking();
    const [a, b] = [await talker(), await recorder()];

    a.send({ type: 'flood', to: 'recorder/b', last: 600, odd: { 100: 'exit', 300: 'exit' } });
    await expect.poll(() => b.handled().at(-1), patient).toBe(600);
    expect(b.handled()).toEqual(upTo(600).filter((n) => n !== 100 && n !== 300));
    expect(letters.map(({ reason, address }) => [reason, address])).toEqual([
      ['poison', 'recorder/b'],
      ['poison', 'recorder/b'],
    ]);
    expect(numbers(letters)).toEqual([100, 300]);
    expect(b.ref.incarnation).toBe(3);
  });

  test('while several send, loses of each at most what was in hand', async () => {
    const { talker, recorder, letters } = await talking();
    const b = await recorder();
    const talkers = await Promise.all(['x', 'y', 'z'].map((id) => talker(id)));
    talkers.forEach((ref, i) => {
      const first = 10_000 * (i + 1);
      ref.send({ type: 'flood', to: 'recorder/b', first, last: first + 199, odd: { [first + 50]: 'exit' } });
    });
    await expect.poll(() => b.handled().length + lettered(letters), patient).toBe(600);
    for (const first of [10_000, 20_000, 30_000]) {
      const own = b.handled().filter((n) => n >= first && n < first + 10_000);
      expect(own).toEqual(upTo(first + 199, first).filter((n) => n !== first + 50));
    }
    expect(numbers(letters).toSorted((x, y) => x - y)).toEqual([10_050, 20_050, 30_050]);
  });

  test('and does not come again, has its letters with the reason', async () => {
    const { talker, recorder, letters } = await talking('others', {
      supervision: { restart: 'temporary' },
    });
    const [a, b] = [await talker(), await recorder()];
    a.send({ type: 'flood', to: 'recorder/b', last: 50, odd: { 10: 'exit' } });
    await expect.poll(() => b.handled().length + lettered(letters), patient).toBe(50);
    expect(b.handled()).toEqual(upTo(9));
    expect(letters.map(({ reason }) => reason)).toEqual(['poison', ...upTo(40).map(() => 'stopped')]);
    expect(numbers(letters)).toEqual(upTo(50, 10));
  });
});

describe.each(places)('what an agent sends to one %s', (_where, threadId) => {
  test('that fails goes on to the next incarnation in order', async () => {
    const { talker, recorder, letters } = await talking(threadId);
    const [a, b] = [await talker(), await recorder()];
    a.send({ type: 'flood', to: 'recorder/b', last: 600, odd: { 100: 'fail', 300: 'fail' } });
    await expect.poll(() => b.handled().at(-1), patient).toBe(600);
    expect(b.handled()).toEqual(upTo(600));
    expect(letters).toEqual([]);
    expect(b.ref.incarnation).toBe(3);
  });

  test('that is stopped is handled or a dead letter', async () => {
    const { runtime, talker, recorder } = await talking(threadId);
    const [a, b] = [await talker(), await recorder()];
    const letters: DeadLetter[] = [];
    runtime.on('dead-letter', (letter) => {
      if ((letter.event as { type: string }).type === 'note') letters.push(letter);
    });
    a.send({ type: 'flood', to: 'recorder/b', last: 20 });
    await expect.poll(() => b.handled().length, patient).toBe(20);
    b.ref.send({ type: 'busy', ms: 50 });
    // It has been sent when the other one is stopped.
    await a.deliver({ type: 'flood', to: 'recorder/b', first: 21, last: 220 });
    await b.ref.stop();
    await a.deliver({ type: 'flood', to: 'recorder/b', first: 221, last: 230 });
    await expect.poll(() => b.handled().length + lettered(letters), patient).toBe(230);
    expect([...b.handled(), ...numbers(letters).toSorted((x, y) => x - y)]).toEqual(upTo(230));
    const late = letters.filter(({ event }) => (event as { n: number }).n <= 220);
    expect([...new Set(late.map(({ reason }) => reason))].filter((reason) => reason !== 'stopped')).toEqual(
      [],
    );
  });

  test('that fails too often has letters for all that was left', async () => {
    const { talker, recorder, letters } = await talking(threadId, {
      supervision: {
        intensity: { restarts: 2, withinMs: 60_000 },
        backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 },
      },
    });
    const [a, b] = [await talker(), await recorder()];
    a.send({
      type: 'flood',
      to: 'recorder/b',
      last: 100,
      odd: Object.fromEntries(upTo(100).map((n) => [n, 'fail'])),
    });
    await expect.poll(() => b.handled().length + lettered(letters), patient).toBe(100);
    expect(b.handled()).toEqual(upTo(3));
    expect(new Set(letters.map(({ reason }) => reason))).toEqual(new Set(['stopped']));
  });

  test('before the sender ends arrives, also when it fails right after', async () => {
    const { talker, recorder, letters } = await talking(threadId);
    const [a, b] = [await talker(), await recorder()];
    a.send({ type: 'flood', to: 'recorder/b', last: 900, end: 'throw' });
    await expect.poll(() => b.handled().length, patient).toBe(900);
    a.send({ type: 'flood', to: 'recorder/b', first: 901, last: 1100 });
    a.send({ type: 'finish' });
    await expect.poll(() => b.handled().length, patient).toBe(1100);
    expect(b.handled()).toEqual(upTo(1100));
    expect(letters).toEqual([]);
  });

  test('is handled or counted as lost when the thread of the sender dies', async () => {
    const { talker, recorder, letters } = await talking(threadId);
    const [a, b] = [await talker(), await recorder()];
    for (let round = 1; round <= 5; round++) {
      const first = 1000 * round;
      await a.deliver({ type: 'flood', to: 'recorder/b', first: first - 50, last: first - 1 });
      await expect.poll(() => b.handled().at(-1), patient).toBe(first - 1);
      a.send({ type: 'flood', to: 'recorder/b', first, last: first + 199, end: 'exit' });
      // The event that had the thread exit is a dead letter of its own.
      await expect.poll(() => b.handled().length + lettered(letters), patient).toBe(251 * round);
    }
    expect(b.handled()).toEqual([...new Set(b.handled())].toSorted((x, y) => x - y));
    const lost = letters.find((letter) => letter.lost !== undefined);
    expect(lost).toMatchObject({ address: 'recorder/b', reason: 'crashed', event: undefined });
  });

  test('is counted as lost also before the way to the other was open', async () => {
    const { talker, recorder, letters } = await talking(threadId);
    await recorder();
    const a = await talker();
    a.send({ type: 'flood', to: 'recorder/b', last: 200, end: 'exit' });
    await expect.poll(() => lettered(letters), patient).toBe(201);
  });
});
