import { afterEach, expect, test, vi } from 'vitest';
import type { AgentRef } from '../runtime.ts';
import type { HandedEvents } from './followed-instance.ts';
import { Tails } from './tails.ts';

const shown = (event: object): string => JSON.stringify(event);
const MiB = 1024 * 1024;

afterEach(() => {
  vi.useRealTimers();
});

/** An instance that emits what it is told to, and ends. */
function instance(address: string) {
  let listener: ((event: object) => void) | undefined;
  let complete = (): void => {};
  const ref = {
    address,
    on: (_type: string, heard: (event: object) => void) => {
      listener = heard;
      return { unsubscribe: () => (listener = undefined) };
    },
    subscribe: (observer: { complete: () => void }) => {
      ({ complete } = observer);
      return { unsubscribe() {} };
    },
  };
  return {
    ref: ref as unknown as AgentRef,
    emit: (event: object) => listener?.(event),
    isHeard: () => listener !== undefined,
    end: () => complete(),
  };
}

const follower = { more() {}, broke() {} };

test('what is kept of one instance are 8 MiB, and of all 64 MiB, of which those that have most lose their oldest', () => {
  const tails = new Tails();
  const chatty = Array.from({ length: 9 }, (_, n) => instance(`a/${n}`));
  const quiet = instance('a/quiet');
  const followed = [quiet, ...chatty].map(({ ref }) => {
    const of = tails.of(ref, shown);
    of.follow(follower);
    return of.tail;
  });
  quiet.emit({ type: 'only' });
  for (let n = 0; n < 20; n += 1) for (const { emit } of chatty) emit({ type: 'x'.repeat(MiB / 2) });
  const bytes = followed.map((tail) => tail.bytes);
  expect(Math.max(...bytes)).toBeLessThanOrEqual(8 * MiB);
  expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(64 * MiB);
  expect(followed[0]).toMatchObject({ head: 1, gone: 0 });
  for (const tail of followed.slice(1)) {
    expect(tail.head).toBe(20);
    expect(tail.gone).toBeGreaterThan(3);
    expect(tail.gone).toBeLessThan(12);
  }
});

test('an instance is heard until nobody has followed it for a minute, and not before somebody does', () => {
  vi.useFakeTimers();
  const tails = new Tails();
  const one = instance('a/a');
  expect(one.isHeard()).toBe(false);
  const followed = tails.of(one.ref, shown);
  const leave = followed.follow(follower);
  vi.advanceTimersByTime(3_600_000);
  one.emit({ type: 'x' });
  leave();
  vi.advanceTimersByTime(59_000);
  expect(tails.of(one.ref, shown)).toBe(followed);
  followed.follow(follower)();
  vi.advanceTimersByTime(59_000);
  expect(one.isHeard()).toBe(true);
  vi.advanceTimersByTime(2000);
  expect([one.isHeard(), followed.tail.bytes]).toEqual([false, 0]);
  expect(tails.of(one.ref, shown).tail.run).not.toBe(followed.tail.run);
});

test('of the instances that nobody follows any more, ten thousand are kept', () => {
  const tails = new Tails();
  const all = Array.from({ length: 10_002 }, (_, n) => instance(`a/${n}`));
  for (const { ref } of all) tails.of(ref, shown).follow(follower)();
  expect(all.map(({ isHeard }) => isHeard()).indexOf(true)).toBe(2);
});

test('what an instance emits after its state was taken is in no stream, and the next process goes on with the numbers', () => {
  const [here, there] = [new Tails(), new Tails()];
  const [one, same] = [instance('a/a'), instance('a/a')];
  const { tail } = here.of(one.ref, shown);
  one.emit({ type: 'x' });
  here.seal('a/a');
  one.emit({ type: 'x' });
  expect(tail.head).toBe(1);
  const handed = here.handOver();
  const take = there.adopt(structuredClone(handed), shown);
  take(same.ref);
  same.emit({ type: 'y' });
  const next = there.of(same.ref, shown).tail;
  expect([next.run, next.head, next.gone]).toEqual([tail.run, 2, 0]);
  const { chunk } = next.next(0) ?? {};
  expect(Buffer.from(chunk ?? []).toString()).toBe(
    `id: ${tail.run}.1\nevent: emitted\ndata: {"type":"x"}\n\nid: ${tail.run}.2\nevent: emitted\ndata: {"type":"y"}\n\n`,
  );
});

test('the rest of an instance that has ended goes to the next process, and that of one that is gone does not', () => {
  const [here, there] = [new Tails(), new Tails()];
  const [ended, gone] = [instance('a/ended'), instance('a/gone')];
  const ids = [ended, gone].map(({ ref, emit }) => {
    const { tail } = here.of(ref, shown);
    emit({ type: 'x' });
    return tail.idOf(0);
  });
  ended.end();
  there.adopt(here.handOver(), shown);
  expect(there.ended('a/ended', ids[0])).toMatchObject({ end: '{}', tail: { head: 1 } });
  expect(there.ended('a/gone', ids[1])).toBeUndefined();
});

test('to the next process go 16 MiB', () => {
  const tails = new Tails();
  for (let n = 0; n < 4; n += 1) {
    const { ref, emit } = instance(`a/${n}`);
    tails.of(ref, shown);
    for (let n = 0; n < 12; n += 1) emit({ type: 'x'.repeat(MiB / 2) });
  }
  const handed: HandedEvents[] = tails.handOver();
  const bytes = handed.flatMap(({ events }) => events.map(({ length }) => length));
  expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(16 * MiB);
  // The latest of each.
  expect(handed.map(({ head, events }) => [head, events.length > 4])).toEqual(
    Array.from({ length: 4 }, () => [12, true]),
  );
});

test('an event that cannot be shown ends the streams of its instance, which then begins another run', () => {
  const tails = new Tails();
  const one = instance('a/a');
  const throwing = (): string => {
    throw new Error('cannot be shown');
  };
  const followed = tails.of(one.ref, throwing);
  let broken = 0;
  followed.follow({ more() {}, broke: () => (broken += 1) });
  one.emit({ type: 'x' });
  expect([broken, one.isHeard()]).toEqual([1, false]);
  expect(tails.of(one.ref, shown).tail.run).not.toBe(followed.tail.run);
});
