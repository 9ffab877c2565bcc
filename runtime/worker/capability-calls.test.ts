import { describe, expect, test } from 'vitest';
import { Ending } from '../base/ending.ts';
import { encodeError } from '../wire/errors.ts';
import { MOST_USES, USE_FIELDS } from '../wire/protocol.ts';
import { CapabilityCalls } from './capability-calls.ts';

function setUp() {
  const told: (readonly unknown[])[] = [];
  const later: (() => void)[] = [];
  let n = 0;
  const calls = new CapabilityCalls({
    tell: (uses) => void told.push(uses),
    giveUp: (use) => void told.push(['give up', use]),
    next: () => (n += 1),
    trace: () => undefined,
    soon: (run) => void later.push(run),
  });
  const call = (args: unknown, ending = new Ending()) =>
    calls.call(4, 2, { name: 'sign', label: 'key', args }, ending);
  const tick = (): void => {
    for (const run of later.splice(0)) run();
  };
  return { told, calls, call, tick };
}

describe('uses of capabilities', () => {
  test('of one tick are asked for together, in their order, and each gets what became of it', async () => {
    const { told, calls, call, tick } = setUp();
    const [first, second, third] = [call('a'), call({ data: 'b' }), call('c')];
    expect(told).toEqual([]);
    tick();
    expect(told).toEqual([
      [4, 2, 'sign', 'key', 'a', 1, undefined]
        .concat([4, 2, 'sign', 'key', { data: 'b' }, 2, undefined] as never)
        .concat([4, 2, 'sign', 'key', 'c', 3, undefined] as never),
    ]);
    calls.take([3, 1, 'of c', 1, 0, encodeError(new RangeError('of a'))]);
    calls.take([2, 1, 'of b', 2, 1, 'once more', 99, 1, 'of nobody']);
    await expect(first).rejects.toThrow('of a');
    expect(await Promise.all([second, third])).toEqual(['of b', 'of c']);
    void call('d');
    tick();
    expect(told).toHaveLength(2);
  });

  test('have the arguments that they were asked with, whatever becomes of those', () => {
    const { told, call, tick } = setUp();
    const args = { data: 'first' };
    void call(args);
    args.data = 'second';
    void call(args);
    tick();
    expect([told[0]?.[4], told[0]?.[4 + USE_FIELDS]]).toEqual([{ data: 'first' }, { data: 'second' }]);
  });

  test('with arguments that may change, or may not be cloned, do not wait for others', () => {
    const { call } = setUp();
    for (const args of [new Uint8Array(4), { deep: {} }, () => 1]) expect(call(args)).toBeUndefined();
  });

  test('that nobody waits for any more are asked for all the same, and then given up', async () => {
    const { told, calls, call, tick } = setUp();
    const ending = new Ending();
    const given = call('a', ending);
    ending.end(new Error('stopped'));
    expect(told).toEqual([
      [4, 2, 'sign', 'key', 'a', 1, undefined],
      ['give up', 1],
    ]);
    await expect(given).rejects.toThrow('stopped');
    tick();
    calls.take([1, 1, 'too late']);
    expect(told).toHaveLength(2);
  });

  test('that have their answer are not given up', async () => {
    const { told, calls, call, tick } = setUp();
    const ending = new Ending();
    const used = call('a', ending);
    tick();
    calls.take([1, 1, 'of a']);
    ending.end(new Error('stopped'));
    expect(await used).toBe('of a');
    expect(told).toHaveLength(1);
  });

  test('are asked for in parts before the end of the tick, so that the host begins while the thread asks for more', () => {
    const { told, call, tick } = setUp();
    const parts = (): number[] => told.map(({ length }) => length / USE_FIELDS);
    expect(MOST_USES, 'the two work at the same time with 32 under way').toBeLessThanOrEqual(16);
    for (let n = 0; n < MOST_USES; n++) void call(n);
    expect(parts()).toEqual([MOST_USES]);
    for (let n = 0; n <= MOST_USES; n++) void call(n);
    expect(parts()).toEqual([MOST_USES, MOST_USES]);
    tick();
    expect(parts()).toEqual([MOST_USES, MOST_USES, 1]);
  });
});
