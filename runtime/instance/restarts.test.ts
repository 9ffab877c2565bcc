import { describe, expect, test } from 'vitest';
import type { Supervision } from 'holdfast';
import type { TestRuntime } from 'holdfast/testing';
import { fixture, startTest } from '../fixtures/start.ts';

interface Rig {
  readonly runtime: TestRuntime;
  /** When the instance failed, and when it ran again. */
  readonly failed: readonly number[];
  readonly ran: readonly number[];
  /** Has it fail now. */
  readonly fail: () => Promise<void>;
}

async function rig(supervision: Supervision = {}, seed?: number): Promise<Rig> {
  const runtime = await startTest(
    { agents: { counter: fixture('counter', { supervision }) } },
    seed === undefined ? {} : { seed },
  );
  const [failed, ran]: number[][] = [[], []];
  const ref = await runtime.spawn('counter', { id: 'a' });
  runtime.on('agent', ({ state }) => {
    if (state === 'restarting') failed?.push(runtime.clock.now());
    if (state === 'running') ran?.push(runtime.clock.now());
  });
  const fail = async (): Promise<void> => {
    ref.send({ type: 'fail' });
    await runtime.settled();
  };
  return { runtime, failed: failed as number[], ran: ran as number[], fail };
}

const state = ({ runtime }: Rig): string | undefined => runtime.status().instances[0]?.state;

describe('an instance that fails', () => {
  test('waits twice as long each time, from 200 ms to 10 s, and up to a fifth longer', async () => {
    const one = await rig({ intensity: { restarts: 10, withinMs: 3_600_000 } });
    for (let i = 0; i < 9; i++) await one.fail();
    await one.runtime.clock.advance(100_000);
    const waits = one.ran.map((at, i) => at - (one.failed[i] as number));
    const curve = [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000];
    expect(waits).toHaveLength(curve.length);
    waits.forEach((wait, i) => {
      const least = curve[i] as number;
      expect(wait, `wait ${i} with seed ${one.runtime.seed}`).toBeGreaterThanOrEqual(least);
      expect(wait, `wait ${i} with seed ${one.runtime.seed}`).toBeLessThanOrEqual(least * 1.2);
    });
    expect(waits).not.toEqual(curve);
  });

  test('waits as long as its seed says', async () => {
    const runs = [];
    for (const seed of [7, 7, 8]) {
      const { fail, runtime, ran } = await rig({}, seed);
      for (let i = 0; i < 3; i++) await fail();
      await runtime.clock.advance(10_000);
      runs.push(ran);
    }
    expect(runs[0]).toHaveLength(3);
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).not.toEqual(runs[0]);
  });

  const steady = { minMs: 100, maxMs: 300, factor: 2, jitter: 0 };

  test.each([
    ['goes on with its backoff before half of minMs + maxMs has passed since it ran again', 199, 200],
    ['starts it over after that', 200, 100],
  ])('%s', async (_what, quiet, wait) => {
    const { fail, runtime, failed, ran } = await rig({ backoff: steady });
    await fail();
    await runtime.clock.advance(100 + quiet);
    await fail();
    await runtime.clock.advance(1000);
    expect(failed).toEqual([0, 100 + quiet]);
    expect(ran).toEqual([100, 100 + quiet + wait]);
  });

  test('runs again five times within 30 s, and is quarantined the sixth time', async () => {
    const one = await rig();
    const escalations: unknown[] = [];
    one.runtime.on('escalation', ({ address, error }) => escalations.push([address, error.code]));
    for (let i = 0; i < 5; i++) await one.fail();
    await one.runtime.clock.advance(20_000);
    expect([state(one), one.ran.length]).toEqual(['running', 5]);
    await one.fail();
    expect([state(one), escalations]).toEqual(['quarantined', [['counter/a', 'AGENT_QUARANTINED']]]);
    expect(one.runtime.status().restarts).toBe(5);
  });

  test.each([
    ['is quarantined when the window has a millisecond to go', 999, 'quarantined'],
    ['runs again when the window has just passed', 1000, 'running'],
  ])('%s', async (_what, at, after) => {
    const one = await rig({ intensity: { restarts: 2, withinMs: 1000 }, backoff: steady });
    await one.fail();
    await one.runtime.clock.advance(500);
    await one.fail();
    await one.runtime.clock.advance(at - 500);
    expect(state(one)).toBe('running');
    await one.fail();
    await one.runtime.clock.advance(300);
    expect(state(one)).toBe(after);
  });

  test('does not come back when it is stopped while it waits', async () => {
    const one = await rig();
    await one.fail();
    expect(state(one)).toBe('restarting');
    await one.runtime.get('counter/a')?.stop();
    await one.runtime.clock.advance(30_000);
    expect([state(one), one.ran]).toEqual([undefined, []]);
    expect(one.runtime.status()).toMatchObject({ restarts: 0, pools: [{ startedThreads: 1 }] });
  });
});
