import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Operation } from './linearizability/history.ts';
import { checkHistory } from './linearizability/linearizable.ts';
import { counter, type CounterInput, register, type RegisterInput } from './linearizability/models.ts';

const runs = Number(process.env['HOLDFAST_RUNS'] ?? 100);

type Of = Operation<RegisterInput, number | boolean>;
const write = (value: number, call: number, end: number): Of => ({
  input: { type: 'write', value },
  output: undefined,
  call,
  return: end,
});
const read = (output: number, call: number, end: number): Of => ({
  input: { type: 'read' },
  output,
  call,
  return: end,
});
const swap = (
  expected: number,
  value: number,
  output: boolean | undefined,
  call: number,
  end: number,
): Of => ({
  input: { type: 'swap', expected, value },
  output,
  call,
  return: end,
});
const verdict = (...history: Of[]): string => checkHistory(register, history).kind;

describe('a history of a register', () => {
  test.each<[string, Of[]]>([
    ['of nothing', []],
    [
      'whose reads see a write while it is under way, or do not yet',
      [write(1, 0, 10), read(0, 1, 2), read(1, 3, 4)],
    ],
    ['of two writes at a time, in either order', [write(1, 0, 10), write(2, 0, 10), read(1, 11, 12)]],
    ['whose reader began before the writer ended', [write(1, 0, 5), read(0, 5, 6)]],
    ['in which a write of unknown outcome was done', [write(1, 0, Infinity), read(1, 9, 10)]],
    ['in which it was not', [write(1, 0, Infinity), read(0, 9, 10)]],
    ['in which it was done late', [write(1, 0, Infinity), read(0, 9, 10), read(1, 11, 12)]],
    ['of swaps of which one wins', [swap(0, 1, true, 0, 5), swap(0, 2, false, 0, 5), read(1, 6, 7)]],
    ['of a swap of unknown outcome', [swap(0, 1, undefined, 0, Infinity), read(1, 6, 7)]],
    ["that is Porcupine's example of a good one", [write(100, 0, 100), read(100, 25, 75), read(0, 30, 60)]],
  ])('is linearizable: one %s', (_name, history) => {
    expect(verdict(...history)).toBe('linearizable');
  });

  test.each<[string, Of[]]>([
    ['whose reader misses a write that had ended', [write(1, 0, 5), read(0, 6, 7)]],
    ['that goes back', [write(1, 0, 10), read(1, 1, 2), read(0, 3, 4)]],
    ['that goes back after an unknown outcome', [write(1, 0, Infinity), read(1, 1, 2), read(0, 3, 4)]],
    ['whose reader sees what nobody wrote', [write(1, 0, 5), read(2, 6, 7)]],
    ['whose reader sees what is written later', [read(1, 0, 1), write(1, 2, 3)]],
    ['of two swaps that both win', [swap(0, 1, true, 0, 5), swap(0, 2, true, 0, 5)]],
    [
      'in which two readers see two writes in two orders',
      [write(1, 0, 20), write(2, 0, 20), read(1, 1, 2), read(2, 3, 4), read(1, 5, 6)],
    ],
    ["that is Porcupine's example of a bad one", [write(200, 0, 100), read(200, 10, 30), read(0, 40, 90)]],
  ])('is wrong: one %s', (_name, history) => {
    expect(verdict(...history)).toBe('wrong');
  });
});

test('of a wrong history as many operations are named as can stand in an order', () => {
  const history = [write(1, 0, 1), read(1, 2, 3), write(2, 4, 5), read(1, 6, 7)];
  expect(checkHistory(register, history)).toEqual({ kind: 'wrong', longest: [0, 1, 2] });
});

test('what takes more steps than it may is unknown', () => {
  const history = Array.from({ length: 12 }, (_, i) => write(i + 1, 0, 10));
  expect(checkHistory(register, [...history, read(99, 11, 12)], 1000)).toEqual({ kind: 'unknown' });
});

test('a long history of few clients takes as many steps as it has operations, and some', () => {
  const history: Operation<CounterInput, number>[] = [];
  for (let i = 0; i < 4000; i++)
    history.push({ input: { type: 'add', amount: 1 }, output: i + 1, call: i, return: i + 2.5 });
  expect(checkHistory(counter, history, 5 * 4000)).toEqual({ kind: 'linearizable' });
});

/** Operations of several clients on a counter that does each at one moment while it is under way; some outcomes are lost. */
const played = fc
  .array(
    fc.record({
      client: fc.integer({ min: 0, max: 3 }),
      amount: fc.integer({ min: 0, max: 3 }),
      wait: fc.integer({ min: 0, max: 5 }),
      before: fc.integer({ min: 0, max: 5 }),
      after: fc.integer({ min: 0, max: 5 }),
      isLost: fc.boolean(),
    }),
    { minLength: 1, maxLength: 14 },
  )
  .map((deeds) => {
    const free = [0, 0, 0, 0];
    const placed = deeds.map(({ client, amount, wait, before, after, isLost }, i) => {
      const call = (free[client] as number) + wait;
      const at = call + before;
      free[client] = at + after + 1;
      return {
        input: amount === 0 ? ({ type: 'total' } as const) : ({ type: 'add', amount } as const),
        call,
        at,
        end: at + after,
        isLost,
        i,
      };
    });
    let sum = 0;
    const outputs = new Map<number, number>();
    for (const { input, i } of placed.toSorted((a, b) => a.at - b.at || a.i - b.i)) {
      if (input.type === 'add') sum += input.amount;
      outputs.set(i, sum);
    }
    return placed.map(({ input, call, end, isLost, i }): Operation<CounterInput, number> => ({
      input,
      output: isLost ? undefined : outputs.get(i),
      call,
      return: isLost ? Infinity : end,
    }));
  });

test('what a counter has done that does one thing at a time is linearizable', () => {
  fc.assert(
    fc.property(played, (history) => {
      expect(checkHistory(counter, history).kind).toBe('linearizable');
    }),
    { numRuns: runs },
  );
});

/** The same by trying all orders, also without each that is unknown. */
function isLinearizable(history: readonly Operation<CounterInput, number>[], state = 0): boolean {
  if (history.every((one) => one.return === Infinity)) return true;
  return history.some((one) => {
    if (history.some((other) => other.return < one.call)) return false;
    const after = counter.step(state, one.input, one.output);
    return (
      after !== undefined &&
      isLinearizable(
        history.filter((other) => other !== one),
        after.state,
      )
    );
  });
}

test('it says what trying all orders says, also of histories with an answer that is wrong', () => {
  let wrong = 0;
  fc.assert(
    fc.property(played, fc.nat(), fc.integer({ min: -2, max: 2 }), (whole, which, off) => {
      const history = whole
        .slice(0, 7)
        .map((one, i, { length }) =>
          i === which % length && one.output !== undefined
            ? Object.assign({}, one, { output: one.output + off })
            : one,
        );
      const kind = isLinearizable(history) ? 'linearizable' : 'wrong';
      if (kind === 'wrong') wrong += 1;
      expect(checkHistory(counter, history).kind).toBe(kind);
    }),
    { numRuns: runs },
  );
  expect(wrong).toBeGreaterThan(runs / 20);
});
