import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import type { Instance } from '../instance/instance.ts';
import { FakeClock } from '../mailbox/fixtures/fake-clock.ts';
import { Household } from './household.ts';

function household(afterMs: number) {
  const clock = new FakeClock();
  const left: Instance[] = [];
  let looks = 0;
  const under = new Household({
    afterMs,
    clock: {
      now: () => clock.now(),
      date: () => clock.date(),
      setTimeout: (run, ms) => clock.setTimeout(run, ms),
      clearTimeout: (handle) => clock.clearTimeout(handle),
      random: () => 0,
    },
    leave(instance) {
      left.push(instance);
      under.left(instance);
      return Promise.resolve(true);
    },
  });
  const come = (): { used: number } => {
    const resident = {
      used: 0,
      get uses() {
        looks += 1;
        return resident.used;
      },
    };
    under.came(resident as unknown as Instance);
    return resident;
  };
  /** Lets time pass; returns the most looks that came in one go. */
  const pass = async (ms: number): Promise<number> => {
    let most = 0;
    for (let i = 0; i < ms; i++) {
      const before = looks;
      clock.pass(1);
      most = Math.max(most, looks - before);
      if (looks === before) continue;
      for (let turn = 0; turn < 32; turn++) await Promise.resolve();
    }
    return most;
  };
  return { come, pass, left, looks: () => looks };
}

it('looks at no more instances in one go, however many there are, and at each as often', async () => {
  const found = [];
  for (const many of [1_000, 10_000]) {
    const { come, pass, looks } = household(100_000);
    for (let n = 0; n < many; n++) come();
    await pass(25_000);
    const before = looks();
    const most = await pass(50_000);
    found.push({ most, each: Math.round((looks() - before) / many) });
  }
  expect(found).toEqual([
    { most: 256, each: 2 },
    { most: 256, each: 2 },
  ]);
});

it('has each leave that has done nothing for that long, and those stay that do something', async () => {
  const { come, pass, left } = household(1_000);
  const all = Array.from({ length: 1_000 }, come);
  for (let i = 0; i < 10; i++) {
    await pass(200);
    for (const [n, one] of all.entries()) if (n % 2 === 0) one.used += 1;
  }
  expect(left).toEqual(all.filter((_, n) => n % 2 === 1));
  await pass(1_600);
  expect(new Set(left)).toEqual(new Set(all));
});

it('looks at one that comes while it looks at the others', async () => {
  const { come, pass, left } = household(1_000);
  for (let n = 0; n < 600; n++) come();
  await pass(300);
  const late = come();
  await pass(1_600);
  expect(left).toContain(late);
});

it('holds none that has left, when all have', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const { come, pass, left } = household(1000);
  const were = Array.from({ length: 100 }, () => new WeakRef(come()));
  await pass(2000);
  expect(left.splice(0).length).toBe(100);
  // What a turn has looked at stays until its end.
  await new Promise((resolve) => setImmediate(resolve));
  gc();
  expect(were.filter((one) => one.deref() !== undefined).length).toBe(0);
});
