import { assign, emit, fromPromise, raise, setup } from 'xstate';
import { expect, test } from 'vitest';
import { decodeState } from '../wire/encoded-state.ts';
import { REPORT, type TurnOf } from '../wire/protocol.ts';
import { host } from './fixtures/hosted.ts';

const desk = setup({
  actors: { job: fromPromise(() => new Promise(() => {})) },
}).createMachine({
  version: '7',
  context: { n: 0, run: undefined },
  initial: 'idle',
  states: {
    idle: { on: { work: 'busy' } },
    busy: { invoke: { src: 'job', id: 'job' }, after: { 5000: 'idle' }, on: { rest: 'idle' } },
  },
  on: {
    look: { actions: emit({ type: 'looked' }) },
    count: { actions: assign({ n: ({ context }) => (context as { n: number }).n + 1 }) },
    twice: { actions: raise({ type: 'count' }) },
    breakIt: { actions: assign({ run: () => () => {} }) },
    mend: { actions: assign({ run: undefined }) },
    write: { actions: assign({ text: () => 'w'.repeat(5000) }) },
    erase: { actions: assign({ text: '' }) },
    grow: { actions: assign({ run: () => 'x'.repeat(257 * 1024) }) },
  },
});

/** A durable desk; `tell` runs turns and returns what they tell of its state in one flush, as if that were always a state. */
function durable() {
  let large = 0;
  const hooks = { large: () => void (large += 1) };
  const { instance, reports, sent } = host(desk, { durable: true, tellsState: true }, {}, hooks);
  const tell = (...types: readonly string[]): TurnOf[] => {
    for (const type of types) instance.turn({ type }, undefined);
    sent.length = 0;
    reports.flush();
    const items = sent.flat();
    return items.flatMap((kind, i) =>
      i % 3 === 0 && (kind === REPORT.turn || kind === REPORT.stateless) ? [items[i + 2] as TurnOf] : [],
    );
  };
  return { instance, tell, large: () => large };
}

/** How many envelopes were handled, and nothing else. */
const unchanged = 0;

test('the state is told with its version, first timer and work, once for all turns of a flush', () => {
  const { tell } = durable();
  const [first, ...more] = tell();
  expect(more).toEqual([]);
  expect(first?.slice(2, 5)).toEqual(['7', null, false]);
  const before = Date.now();
  const [busy] = tell('work', 'count', 'twice');
  const [, state, version, dueAt, wakes] = busy as TurnOf;
  expect(decodeState(state)).toMatchObject({ version: '7', snapshot: { value: 'busy', context: { n: 2 } } });
  expect([version, wakes]).toEqual(['7', true]);
  expect(dueAt).toBeGreaterThanOrEqual(before + 5000);
  expect(tell('rest')[0]?.slice(2, 5)).toEqual(['7', null, false]);
});

test('a turn that leaves everything as it was tells no state', () => {
  const { tell } = durable();
  tell();
  expect(tell('look')).toEqual([unchanged]);
  expect(tell('count')[0]?.[1]).toEqual(expect.any(String));
  expect(tell('look', 'unknown')).toEqual([unchanged]);
  expect(tell('work', 'rest')[0]?.[1]).toEqual(expect.any(String));
});

test('a state that could not be told is told when it can be', () => {
  const { tell } = durable();
  tell();
  expect(tell('breakIt')).toEqual([expect.stringMatching(/at snapshot\.context\.run: a function/u)]);
  expect(tell('look')).toEqual([expect.stringMatching(/a function/u)]);
  expect(tell('mend')[0]?.[1]).toEqual(expect.any(String));
});

test('a long text is told once, while it is there, and again after a state that could not be told', () => {
  const { tell } = durable();
  tell();
  const wordsIn = ([told]: TurnOf[]): unknown[] =>
    (told?.[8] ?? []).map((text) => (typeof text === 'number' ? text : text.length));
  const [first] = tell('write');
  expect(wordsIn([first as TurnOf])).toEqual([1, 5002]);
  expect(first?.[1]).toContain('"text":\u00011\u0001');
  const counted = tell('count');
  expect(wordsIn(counted)).toEqual([]);
  expect(counted[0]?.[1]).toContain('"text":\u00011\u0001');
  expect(tell('breakIt')).toEqual([expect.stringMatching(/a function/u)]);
  expect(wordsIn(tell('mend'))).toEqual([1, 5002]);
  expect(tell('erase')[0]?.[1]).toContain('"text":""');
  expect(wordsIn(tell('write'))).toEqual([1, 5002]);
});

test('a state of which more than 256 KiB are new is large', () => {
  const { tell, large } = durable();
  tell('count');
  expect(large()).toBe(0);
  tell('grow');
  tell('look');
  expect(large()).toBe(1);
  // The text is not written again.
  tell('count');
  expect(large()).toBe(1);
  tell('count', 'mend');
  tell('grow');
  expect(large()).toBe(2);
});
