import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { SimulatedClock } from 'xstate';
import { boundPrinted } from './printed.ts';

const MIB = 1024 * 1024;
const piece = 'x'.repeat(MIB / 4);

function rig() {
  const clock = new SimulatedClock();
  const warnings: string[] = [];
  let resumed = 0;
  let taken = 0;
  let go: (() => void) | undefined;
  let isOpen = false;
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      taken += chunk.length;
      if (isOpen) setImmediate(done);
      else go = done;
    },
  });
  const printed = boundPrinted([stream], {
    clock,
    warn: (message) => warnings.push(message),
    resume: () => (resumed += 1),
  });
  const print = (pieces: number): void => {
    for (let n = 0; n < pieces; n += 1) stream.write(piece, () => {});
  };
  const read = async (): Promise<void> => {
    isOpen = true;
    go?.();
    await expect.poll(() => stream.writableLength).toBe(0);
  };
  return { clock, warnings, stream, printed, print, read, resumed: () => resumed, taken: () => taken };
}

test('the instances wait while the host takes what they printed, and go on when it has', async () => {
  const { printed, print, read, resumed, taken } = rig();
  print(3);
  expect(printed.held).toBe(false);
  print(3);
  expect(printed.held).toBe(true);
  await read();
  expect(printed.held).toBe(false);
  expect(resumed()).toBe(1);
  expect(taken()).toBe(6 * piece.length);
});

test('they wait a second at most, and not again before all of it was taken', async () => {
  const { clock, printed, print, read, resumed } = rig();
  print(6);
  clock.increment(999);
  expect(printed.held).toBe(true);
  clock.increment(1);
  expect([printed.held, resumed()]).toEqual([false, 1]);
  print(6);
  expect(printed.held).toBe(false);
  await read();
  print(6);
  expect(printed.held).toBe(true);
});

test('no more than 16 MiB wait; the rest is left out, who waits for it is answered, and it is told how much', async () => {
  const { clock, warnings, stream, print, read, taken } = rig();
  print(100);
  expect(stream.writableLength).toBeLessThan(17 * MIB);
  let answered = false;
  expect(stream.write('more', () => (answered = true))).toBe(false);
  await Promise.resolve();
  expect(answered).toBe(true);
  expect(warnings).toEqual([]);
  clock.increment(30_000);
  const left = 100 - taken() / piece.length;
  expect(left).toBeGreaterThan(30);
  expect(warnings).toEqual([expect.stringMatching(/^\d+ pieces of what the agents printed were left out/)]);
  await read();
  print(1);
  await expect.poll(() => stream.writableLength).toBe(0);
  clock.increment(60_000);
  expect(warnings).toHaveLength(1);
});
