import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REPORT } from '../wire/protocol.ts';
import { Reports, type Mirrored } from './reports.ts';

/** Sends like a port: what cannot be cloned throws at once. */
function start(): { reports: Reports; sent: unknown[][] } {
  const sent: unknown[][] = [];
  return { reports: new Reports((items) => void sent.push(structuredClone(items))), sent };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

const run = (): void => {};

describe('reports', () => {
  it('leave together, in their order, after the current turn of the event loop', async () => {
    const { reports, sent } = start();

    reports.add(REPORT.emitted, 1, { type: 'a' });
    reports.add(REPORT.parentEvent, 2, { type: 'b' });
    await Promise.resolve();
    expect(sent).toEqual([]);
    await nextTurn();

    expect(sent).toEqual([[REPORT.emitted, 1, { type: 'a' }, REPORT.parentEvent, 2, { type: 'b' }]]);
  });

  it('leave at once when they are flushed, and not a second time', async () => {
    const { reports, sent } = start();

    reports.add(REPORT.emitted, 1, { type: 'a' });
    reports.flush();
    expect(sent).toHaveLength(1);
    await nextTurn();

    expect(sent).toHaveLength(1);
  });

  it('cost no call when there are none', async () => {
    const { reports, sent } = start();

    reports.flush();
    await nextTurn();

    expect(sent).toEqual([]);
  });

  it('that come after a flush leave with the next', async () => {
    const { reports, sent } = start();
    reports.add(REPORT.emitted, 1, { type: 'a' });
    reports.flush();

    reports.add(REPORT.emitted, 1, { type: 'b' });
    await nextTurn();

    expect(sent.map(([, , event]) => event)).toEqual([{ type: 'a' }, { type: 'b' }]);
  });
});

describe('something that changed', () => {
  /** Reports how often it changed; like an instance, only when it is asked to mirror. */
  function changing(reports: Reports, slot: number): { change: () => void; mirrored: () => number } {
    let changes = 0;
    let times = 0;
    const mirrored: Mirrored = {
      mirror() {
        times += 1;
        reports.add(REPORT.snapshot, slot, { status: 'active', context: changes });
      },
    };
    return {
      change() {
        changes += 1;
        reports.changed(mirrored);
      },
      mirrored: () => times,
    };
  }

  it('is told once a flush, with its latest state', async () => {
    const { reports, sent } = start();
    const one = changing(reports, 1);
    const two = changing(reports, 2);

    for (let n = 0; n < 100; n++) one.change();
    two.change();
    await nextTurn();
    one.change();
    await nextTurn();

    expect(sent).toEqual([
      [
        REPORT.snapshot,
        1,
        { status: 'active', context: 100 },
        REPORT.snapshot,
        2,
        { status: 'active', context: 1 },
      ],
      [REPORT.snapshot, 1, { status: 'active', context: 101 }],
    ]);
    expect([one.mirrored(), two.mirrored()]).toEqual([2, 1]);
  });

  it('is told after everything that was reported before the flush', async () => {
    const { reports, sent } = start();
    const one = changing(reports, 1);

    one.change();
    reports.add(REPORT.emitted, 1, { type: 'a' });
    await nextTurn();

    expect(sent[0]?.filter((_item, n) => n % 3 === 0)).toEqual([REPORT.emitted, REPORT.snapshot]);
  });
});

describe('what cannot be cloned', () => {
  it('is replaced part by part and said; all the rest goes as it is, in its order', async () => {
    const { reports, sent } = start();

    reports.add(REPORT.emitted, 1, { type: 'good', n: 1 });
    reports.add(REPORT.emitted, 1, { type: 'bad', run });
    reports.add(REPORT.parentEvent, 2, { type: 'worse', run });
    reports.add(REPORT.snapshot, 3, { status: 'active', context: { n: 1, run } });
    reports.add(REPORT.parentEvent, 2, { type: 'good', n: 2 });
    await nextTurn();

    expect(sent).toEqual([
      [
        REPORT.emitted,
        1,
        { type: 'good', n: 1 },
        REPORT.warning,
        1,
        'event "bad" cannot be cloned and was left behind in the thread (at run: a function cannot be cloned)',
        REPORT.warning,
        2,
        'event "worse" cannot be cloned and was left behind in the thread (at run: a function cannot be cloned)',
        REPORT.snapshot,
        3,
        { status: 'active', context: { n: 1 }, incomplete: true },
        REPORT.parentEvent,
        2,
        { type: 'good', n: 2 },
      ],
    ]);
  });

  it('in an output does not keep the end from being told', async () => {
    const { reports, sent } = start();
    const output = { total: 3, close: run };

    reports.add(REPORT.done, 4, { output, snapshot: { status: 'done', output, context: { run } } });
    await nextTurn();

    const clean = { total: 3 };
    expect(sent).toEqual([
      [
        REPORT.done,
        4,
        { output: clean, snapshot: { status: 'done', output: clean, context: {}, incomplete: true } },
        REPORT.warning,
        4,
        'output or context cannot be cloned and was left behind in the thread (at output.close: a function cannot be cloned)',
      ],
    ]);
  });

  it('never ends the thread, whatever is reported: everything leaves, or is replaced', async () => {
    const fails = (): never => {
      throw new Error('read me not');
    };
    const value = fc.oneof(
      fc.anything(),
      fc.constantFrom<unknown>(run, Symbol('s'), { run }, [run], new WeakMap(), Promise.resolve()),
      fc.constant(Object.defineProperty({}, 'x', { enumerable: true, get: fails })),
    );
    const moody = (): unknown => {
      let reads = 0;
      return Object.defineProperty({ type: 'moody' }, 'x', {
        enumerable: true,
        get: () => (reads++ % 2 === 1 ? 1 : run),
      });
    };
    const report = fc.oneof(
      value.map((x) => [REPORT.emitted, { type: 'e', x }] as const),
      value.map((x) => [REPORT.parentEvent, { type: 'p', x }] as const),
      value.map((context) => [REPORT.snapshot, { status: 'active', context }] as const),
      value.map((output) => [REPORT.done, { output, snapshot: { status: 'done', output } }] as const),
      fc.constant(0).map(() => [REPORT.emitted, moody()] as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(report, { maxLength: 10 }), async (all) => {
        const { reports, sent } = start();
        all.forEach(([kind, payload], slot) => reports.add(kind, slot, payload));
        reports.flush();

        // Each slot was heard of, in order; a warning stands for an event that stayed behind.
        const slots = sent.flat().filter((_item, n) => n % 3 === 1);
        expect([...new Set(slots)]).toEqual(all.map((_report, slot) => slot));
      }),
      { numRuns: 300 },
    );
  });
});
