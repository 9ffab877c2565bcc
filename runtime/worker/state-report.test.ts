import { assign, fromPromise, fromTransition, raise, sendTo, setup, type AnyEventObject } from 'xstate';
import { describe, expect, it } from 'vitest';
import { REPORT, type StateOf } from '../wire/protocol.ts';
import { host, type Hosted } from './fixtures/hosted.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Counts in two microsteps and in a child; `between` runs in the middle. */
const machineOf = (between: () => void) =>
  setup({
    types: { context: {} as { a: number; b: number; bad?: unknown } },
    actors: {
      kid: fromTransition((n: number, _event: AnyEventObject) => {
        between();
        return n + 1;
      }, 0),
      soon: fromPromise(() => Promise.resolve()),
    },
  }).createMachine({
    context: { a: 0, b: 0 },
    invoke: { id: 'kid', src: 'kid' },
    initial: 'on',
    on: {
      add: {
        actions: [assign({ a: ({ context }) => context.a + 1 }), between, raise({ type: 'more' }), between],
      },
      more: {
        actions: [
          between,
          assign({ b: ({ context }) => context.b + 1 }),
          between,
          sendTo('kid', { type: 'add' }),
          between,
        ],
      },
      poke: { actions: sendTo('kid', { type: 'add' }, { delay: 5 }) },
      spoil: { actions: assign({ bad: () => () => {} }) },
      wait: '.waiting',
      end: '.off',
    },
    states: { on: {}, waiting: { invoke: { src: 'soon', onDone: 'on' } }, off: { type: 'final' } },
  });

const of = ({ sent }: Hosted, kind: number): unknown[] => {
  const items = sent.flat();
  return items.filter((_, i) => i % 3 === 2 && items[i - 2] === kind);
};
const states = (hosted: Hosted): unknown[] =>
  of(hosted, REPORT.state).map((payload) => (payload as StateOf)[0]?.snapshot);
const start = (between = () => {}): Hosted => host(machineOf(between), { tellsState: true });

describe('the state of an instance', () => {
  it('is told once a flush, from its start on, and not when nothing has happened', () => {
    const hosted = start();
    hosted.reports.flush();
    for (let n = 0; n < 5; n++) hosted.instance.turn({ type: 'add' }, undefined);
    hosted.reports.flush();
    hosted.reports.flush();
    expect(states(hosted)).toMatchObject([{ context: { a: 0 } }, { context: { a: 5, b: 5 } }]);
    hosted.stop();
  });

  it('goes before an envelope whose time is up, which is counted with it', () => {
    const hosted = start();
    hosted.reports.flush();
    hosted.instance.turn({ type: 'add' }, undefined);
    hosted.instance.skip();
    hosted.reports.flush();
    const told = of(hosted, REPORT.state) as StateOf[];
    expect(states(hosted)).toMatchObject([{ context: { a: 0 } }, { context: { a: 1 } }, undefined]);
    expect((told[2] as StateOf)[1]).toBe((told[1] as StateOf)[1] + 1);
    hosted.stop();
  });

  it('is told after timers, promises, and what only a child has heard', async () => {
    const hosted = start();
    hosted.instance.turn({ type: 'poke' }, undefined);
    hosted.instance.turn({ type: 'wait' }, undefined);
    hosted.reports.flush();
    expect(states(hosted)).toMatchObject([{ value: 'waiting' }]);
    await expect
      .poll(() => states(hosted).at(-1), { timeout: 60_000 })
      .toMatchObject({ value: 'on', children: { kid: { snapshot: { context: 1 } } } });
    hosted.stop();
  });

  it('is told a last time when the instance is stopped, and not after it has ended', () => {
    const hosted = start();
    hosted.instance.turn({ type: 'add' }, undefined);
    hosted.stop();
    expect(states(hosted)).toMatchObject([{ context: { a: 1 } }]);
    const done = start();
    done.instance.turn({ type: 'add' }, undefined);
    done.instance.turn({ type: 'end' }, undefined);
    done.reports.flush();
    expect([states(done), of(done, REPORT.done).length]).toEqual([[], 1]);
  });

  it('is not told to a host that has not asked for it', () => {
    const hosted = host(machineOf(() => {}));
    hosted.instance.turn({ type: 'add' }, undefined);
    hosted.reports.flush();
    hosted.stop();
    expect(hosted.sent).toEqual([]);
  });

  it('that cannot be cloned is said to be none, and what else there is to report is reported', () => {
    const hosted = start();
    hosted.reports.flush();
    hosted.instance.turn({ type: 'spoil' }, undefined);
    hosted.reports.add(REPORT.emitted, 0, { type: 'heard' });
    hosted.reports.flush();
    expect(of(hosted, REPORT.stateless)).toHaveLength(1);
    expect(of(hosted, REPORT.emitted)).toEqual([{ type: 'heard' }]);
    hosted.stop();
  });
});

it('Snapshot taken mid-macrostep is impossible', async () => {
  let flushed = 0;
  const hosted: Hosted = start(() => {
    hosted.reports.flush();
    flushed += 1;
  });
  for (let n = 1; n <= 3; n++) hosted.instance.turn({ type: 'add' }, undefined);
  await turn();
  expect(flushed).toBe(18);
  const seen = states(hosted) as {
    context: { a: number; b: number };
    children: { kid: { snapshot: object } };
  }[];
  expect(seen.at(-1)).toMatchObject({ context: { a: 3 } });
  for (const { context, children } of seen) {
    expect([context.b, children.kid.snapshot]).toMatchObject([context.a, { context: context.a }]);
  }
  hosted.stop();
});
