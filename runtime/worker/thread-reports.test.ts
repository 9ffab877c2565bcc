import { afterEach, describe, expect, it } from 'vitest';
import { asked, told, whole } from '../mailbox/fixtures/envelopes.ts';
import { inProcess, type Report, type ThreadRig } from './fixtures/thread-rig.ts';
import { nextTurn, until } from './fixtures/until.ts';

let rig: ThreadRig;

function start(): ThreadRig {
  rig = inProcess();
  return rig;
}

afterEach(() => rig.link.close(new Error('the test is over')));

const event = (type: string, more: object = {}): object => ({ type, ...more });

function of(reports: readonly Report[], kind: Report['kind']): unknown[] {
  return reports.filter((report) => report.kind === kind).map(({ payload }) => payload);
}

describe('what an agent does', () => {
  it('is told the host before the batch that caused it is acknowledged', async () => {
    const { activate, deliver, order } = start();
    await activate(0, 'worker', { watched: true });
    await nextTurn();
    order.length = 0;

    await deliver(...told(0, event('add'), event('emit'), event('tell'), event('finish')));

    // The state is there when the event is: with it, or in a mirror that came before. One more may come in between.
    expect(order[0]).toMatch(/ahead|snapshot/);
    // A thread that is slow acknowledges a part before the whole.
    const besides = new Set(['ahead', 'snapshot', 'acknowledge']);
    const others = order.filter((what) => !besides.has(what));
    expect(others).toEqual(['emitted', 'parentEvent', 'done', 'ack']);
  });

  it('is told in the order it happened, under its slot', async () => {
    const { activate, deliver, reports } = start();
    await activate(0, 'worker');
    await activate(4, 'worker');

    await deliver(
      ...told(4, event('add'), event('emit')),
      ...told(0, event('tell')),
      ...told(4, event('tell')),
    );

    expect(reports).toEqual([
      { kind: 'emitted', slot: 4, payload: { type: 'noted', n: 1 } },
      { kind: 'parentEvent', slot: 4, payload: { type: 'told', n: 1 } },
      { kind: 'parentEvent', slot: 0, payload: { type: 'told', n: 0 } },
    ]);
  });

  it('is told though it cannot be cloned: as a warning, and the rest as it is', async () => {
    const { activate, deliver, reports } = start();
    await activate(0, 'worker');

    await deliver(...told(0, event('emit'), event('emit-function'), event('tell')));

    expect(reports.map(({ kind }) => kind)).toEqual(['emitted', 'warning', 'parentEvent']);
    expect(reports[1]?.payload).toMatch(
      /^event "noted" cannot be cloned and was left behind in the thread \(at .*: a function cannot be cloned\)$/u,
    );
  });
});

describe('the end of an instance', () => {
  it('is told with its output and last snapshot, and later events stay uncounted', async () => {
    const { activate, deliver, reports, progress } = start();
    await activate(0, 'worker');

    await deliver(...told(0, event('add'), event('finish'), event('add'), event('tell')));

    expect(reports).toEqual([
      {
        kind: 'done',
        slot: 0,
        payload: {
          output: { n: 1 },
          snapshot: expect.objectContaining({
            status: 'done',
            value: 'finished',
            context: { n: 1 },
          }) as object,
        },
      },
    ]);
    expect(progress.handled(0)).toBe(2);
  });

  it('is told though its output cannot be cloned', async () => {
    const { activate, deliver, reports } = start();
    await activate(0, 'worker');

    await deliver(...told(0, event('finish-function')));

    expect(of(reports, 'done')).toMatchObject([{ output: { n: 0 }, snapshot: { incomplete: true } }]);
    expect(of(reports, 'warning')).toHaveLength(1);
  });

  it('by failure is told once, with the error as it was', async () => {
    const { activate, deliver, reports } = start();
    await activate(0, 'worker');

    await deliver(...told(0, event('fail'), event('fail')));

    expect(reports).toEqual([
      {
        kind: 'error',
        slot: 0,
        payload: {
          error: expect.objectContaining({
            name: 'TypeError',
            message: 'failed on purpose',
            props: { code: 'E_PURPOSE' },
          }) as object,
          snapshot: expect.objectContaining({ status: 'error' }) as object,
          // Who sent the event may want to know.
          inTurn: true,
        },
      },
    ]);
  });

  it('at birth is told after the answer to the call that started it', async () => {
    const { activate, order, reports } = start();

    await activate(0, 'born');
    await until(() => reports.length > 0);

    expect(order).toEqual(['activated', 'done']);
    expect(of(reports, 'done')).toMatchObject([{ output: { early: true } }]);
  });

  it('of one leaves its neighbours alone', async () => {
    const { activate, deliver } = start();
    await activate(0, 'worker');
    await activate(1, 'log');

    const ack = await deliver(
      ...told(0, event('fail')),
      ...told(1, event('e', { n: 5 })),
      ...asked(1, [[2, event('list')]]),
    );

    // How much of it was told before depends on how long the turns took.
    const [[slot], ...answers] = whole(ack);
    expect([slot, ...answers]).toEqual([1, [2], [[5]], [], []]);
  });

  it('of a promise is told when it settles', async () => {
    const { activate, reports } = start();
    await activate(0, 'promise', { input: 'x' });

    await until(() => reports.length > 0);

    expect(of(reports, 'done')).toMatchObject([{ output: { got: 'x' } }]);
  });
});

describe('the mirror', () => {
  it('is closed unless somebody watches', async () => {
    const { activate, deliver, reports } = start();
    await activate(0, 'worker');

    await deliver(...told(0, event('add'), event('start')));
    await nextTurn();

    expect(reports).toEqual([]);
  });

  it('shows the current state at once when it is opened, and nothing after it is closed', async () => {
    const { activate, deliver, link, reports } = start();
    await activate(0, 'worker');
    await deliver(...told(0, event('add')));

    await link.call('watch', 0, true);
    await until(() => reports.length > 0);
    await link.call('watch', 0, false);
    await deliver(...told(0, event('add')));
    await nextTurn();

    expect(of(reports, 'snapshot')).toMatchObject([{ status: 'active', value: 'idle', context: { n: 1 } }]);
  });

  it('shows the latest state, once a batch', async () => {
    const { activate, deliver, reports } = start();
    await activate(0, 'worker', { watched: true });
    await nextTurn();
    reports.length = 0;

    await deliver(...told(0, ...Array.from({ length: 30 }, () => event('add'))));

    // A thread that is slow has more slices than one for a batch.
    const shown = of(reports, 'snapshot');
    expect(shown.length).toBeLessThan(30);
    expect(shown.at(-1)).toMatchObject({ context: { n: 30 } });
  });

  it('shows every state where that was asked for', async () => {
    const { activate, deliver, reports } = start();
    await activate(0, 'worker', { watched: true, mirror: 'all' });
    await nextTurn();
    reports.length = 0;

    await deliver(...told(0, event('add'), event('add'), event('add')));

    expect(
      of(reports, 'snapshot').map((snapshot) => (snapshot as { context: { n: number } }).context.n),
    ).toEqual([1, 2, 3]);
  });

  it('shows a state that cannot be cloned as far as it can be', async () => {
    const { activate, deliver, reports } = start();
    await activate(0, 'worker', { watched: true });

    await deliver(...told(0, event('keep-function'), event('add')));

    expect(of(reports, 'snapshot').at(-1)).toMatchObject({ context: { n: 1 }, incomplete: true });
  });

  it('is no error for a slot without an instance', async () => {
    expect(await start().link.call('watch', 9, true)).toBeUndefined();
  });
});

describe('what is not allowed', () => {
  it('is refused and told as a warning of no slot', async () => {
    const { link, reports } = start();

    await expect(link.call('constructor')).rejects.toThrow('not allowed');
    await until(() => reports.length > 0);

    expect(reports).toEqual([
      { kind: 'warning', slot: -1, payload: 'the thread refused a call (APPLY) that is not allowed' },
    ]);
  });
});
