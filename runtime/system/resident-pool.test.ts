import { describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import type { Instance } from '../instance/instance.ts';
import { ResidentPool } from './resident-pool.ts';

/** An instance of which it is counted how often it is looked at. */
interface Resident {
  uses: number;
  mayLeave: boolean;
  rest(): Promise<boolean>;
}

function pool(most: number) {
  let looks = 0;
  const gone: Resident[] = [];
  const under = new ResidentPool({
    threadId: 'pool',
    most: () => most,
    mayLeave(instance) {
      looks += 1;
      return (instance as unknown as Resident).mayLeave;
    },
    clock: { ...systemClock, now: () => 0 },
    warn() {},
  });
  const come = (mayLeave: boolean): Resident => {
    const resident: Resident = {
      uses: 0,
      mayLeave,
      rest() {
        gone.push(resident);
        under.left(resident as unknown as Instance, true);
        return Promise.resolve(true);
      },
    };
    under.came(resident as unknown as Instance, true);
    return resident;
  };
  /** One more comes; returns the looks that it cost. */
  const roomFor = async (): Promise<number> => {
    const before = looks;
    await under.room(come(true) as unknown as Instance);
    return looks - before;
  };
  return { under, come, roomFor, gone };
}

describe('a pool with a bound', () => {
  it.each([
    ['may not leave', false],
    ['have done something', true],
  ])('looks at as many for one that comes, however many there are that %s', async (_, mayLeave) => {
    const looks = [];
    for (const most of [1_000, 10_000]) {
      const { come, roomFor } = pool(most);
      const all = Array.from({ length: most }, () => come(mayLeave));
      await roomFor();
      for (const one of all) one.uses += 1;
      looks.push(await roomFor());
    }
    expect(looks[0]).toBeGreaterThan(0);
    expect(looks[0]).toBeLessThanOrEqual(64);
    expect(looks[1]).toBe(looks[0]);
  });

  it('goes on where it has ended, and so finds the one of many that may leave', async () => {
    const { under, come, roomFor, gone } = pool(1_000);
    const held = Array.from({ length: 999 }, () => come(false));
    const free = come(true);
    held.push(...Array.from({ length: 64 }, () => come(false)));
    for (let coming = 0; coming < 20 && gone.length === 0; coming++) await roomFor();
    expect(gone[0]).toBe(free);
    expect(under.counts.over).toBe(15);
  });

  it('has two leave for one that comes, while it is too full', async () => {
    const { under, come, roomFor, gone } = pool(10);
    const held = Array.from({ length: 14 }, () => come(false));
    await roomFor();
    expect([gone.length, under.counts.resident]).toEqual([0, 15]);
    for (const one of held) one.mayLeave = true;
    await roomFor();
    expect([gone.length, under.counts.resident]).toEqual([2, 14]);
  });

  it('has one leave for each of those that come together', async () => {
    const { under, come, roomFor } = pool(100);
    for (let i = 0; i < 100; i++) come(true);
    await Promise.all(Array.from({ length: 50 }, roomFor));
    expect(under.counts).toMatchObject({ resident: 100, passivations: 50, over: 0 });
  });

  it('is full for those nobody waits for, once none of all may leave', async () => {
    const { under, come } = pool(100);
    for (let i = 0; i < 100; i++) come(false);
    // Some are still to be looked at.
    expect(await under.spare()).toBe(false);
    expect(await under.spare()).toBe(false);
    expect(under.spare()).toBe(false);
  });
});
