import { Ending } from '../base/ending.ts';
import { threadId as nodeThreadId } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { asked, told, whole } from '../mailbox/fixtures/envelopes.ts';
import { eventLoop } from './event-loop.ts';
import { inProcess, type ThreadRig } from './fixtures/thread-rig.ts';
import { until } from './fixtures/until.ts';
import { threadState } from './thread-state.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';

let rig: ThreadRig;

/** A thread whose slices take no time, so that a busy machine does not have it acknowledge a batch in parts. */
function start(): ThreadRig {
  rig = inProcess({ loop: { ...eventLoop, now: () => 0 } });
  return rig;
}

afterEach(() => rig.link.close(new Error('the test is over')));

const event = (type: string, more: object = {}): object => ({ type, ...more });

describe('a thread', () => {
  it('says which thread it is', async () => {
    expect(await start().link.call('hello')).toBe(nodeThreadId);
  });

  it('runs the instances it was told to, each in its slot, and counts their turns', async () => {
    const { activate, deliver, progress } = start();
    await activate(0, 'log');
    await activate(3, 'log');

    const ack = await deliver(
      ...told(0, event('e', { n: 1 })),
      ...told(3, event('e', { n: 2 }), event('e', { n: 3 })),
      ...asked(3, [[9, event('list')]]),
      ...asked(0, [[10, event('list')]]),
    );

    expect(whole(ack)).toEqual([[0, 2, 3, 3], [10, 9], [[1], [2, 3]], [], []]);
    expect([progress.handled(0), progress.handled(3)]).toEqual([2, 3]);
  });

  it('tells an instance who it is', async () => {
    const { activate, deliver } = start();
    await activate(2, 'log', { address: 'trading/btc', incarnation: 4 });

    expect(whole(await deliver(...asked(2, [[1, event('self')]])))).toMatchObject([
      [2, 1],
      [1],
      [{ address: 'trading/btc', threadId: 'pool', thread: nodeThreadId, incarnation: 4 }],
      [],
      [],
    ]);
  });

  it('starts several instances at once, and says of each what has become of it', async () => {
    const { activate, activateAll, deliver } = start();
    await activate(0, 'log');
    await expect(activate(5, 'stillborn')).rejects.toThrow('failed at birth');
    const outcomes = (await activateAll([1, 2], 'log')) as unknown[];
    expect(outcomes).toEqual([0, 0]);
    expect(await activateAll([3, 4], 'stillborn')).toMatchObject([
      { name: 'SyntaxError', message: 'failed at birth' },
      { name: 'SyntaxError', message: 'failed at birth' },
    ]);
    expect(whole(await deliver(...asked(2, [[1, event('list')]])))).toEqual([[2, 1], [1], [[]], [], []]);
  });

  it('has time for messages while it starts many, and starts none that was stopped meanwhile', async () => {
    let now = 0;
    // A read of the clock takes as long as a slice.
    rig = inProcess({ loop: { ...eventLoop, now: () => 0 }, now: () => (now += 3) });
    const { activate, activateAll, link, order } = rig;
    await activate(0, 'log');
    const started = activateAll([1, 2, 3, 4, 5, 6, 7, 8], 'log');
    const stopped = link.call('deactivate', [8]).then(() => order.push('stopped'));
    expect(await started).toMatchObject([0, 0, 0, 0, 0, 0, 0, { props: { code: 'AGENT_STOPPED' } }]);
    await stopped;
    expect(order).toEqual(['activated', 'stopped', 'activated']);
  });

  it('hands an instance its input', async () => {
    const { activate, link } = start();
    await activate(0, 'worker', { input: { symbol: 'BTC' } });

    expect(await link.call('snapshot', 0)).toMatchObject({ context: { input: { symbol: 'BTC' } } });
  });

  it('asks the host for capabilities in the name of the slot and incarnation', async () => {
    const { activate, deliver, capabilities, link } = start();
    await activate(5, 'signer', { incarnation: 3 });

    await deliver(...told(5, event('sign')));
    await until(() => capabilities.length > 0);

    expect(capabilities).toEqual([[5, 3, 'sign-order', 'orders', 7, 1, undefined]]);
    const snapshot = (): Promise<unknown> => link.call('snapshot', 5);
    await expect.poll(snapshot).toMatchObject({ context: { result: 'from the host' } });
  });

  it('asks the host for nothing in the name of an instance that has ended, nor logs in its slot', async () => {
    const { activate, deliver, capabilities, reports } = start();
    await activate(0, 'leaving');
    await deliver(...told(0, event('go')));
    const { left } = globalThis as { left?: object };
    const bridge = threadState().bridges.get(left as object);
    const use = bridge?.useSecret('capability', { label: 'orders' }, new Ending());
    await expect(use).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
    bridge?.log('warn', 'a late line', {});

    await until(() => reports.some(({ kind }) => kind === 'log'));
    expect(capabilities).toEqual([]);
    const said = reports.filter(({ kind }) => kind === 'log' || kind === 'warning');
    expect(said).toMatchObject([
      {
        kind: 'warning',
        slot: -1,
        payload: expect.stringContaining('was refused the use of a secret') as string,
      },
      { kind: 'log', slot: -1, payload: ['warn', 'a late line', { address: 'agent/0', incarnation: 1 }] },
    ]);
  });

  it('replaces a reply that cannot be cloned, and leaves the other answers alone', async () => {
    const { activate, deliver } = start();
    await activate(0, 'log');

    const ack = await deliver(
      ...asked(0, [
        [1, event('count')],
        [2, event('reply-function')],
        [3, event('count')],
      ]),
    );

    expect(whole(ack)).toMatchObject([
      [0, 3],
      [1, 3],
      [0, 0],
      [2, { props: { code: 'REPLY_UNCLONABLE' } }],
      [],
    ]);
  });
});

describe('an instance that cannot start', () => {
  it('fails the call that asked for it, with what it threw, and reports no more than its state', async () => {
    const { activate, reports, deliver } = start();

    const failed = activate(0, 'stillborn');

    await expect(failed).rejects.toBeInstanceOf(SyntaxError);
    await expect(failed).rejects.toMatchObject({ message: 'failed at birth', code: 'E_BIRTH' });
    expect(await deliver(...asked(0, [[1, event('ask')]]))).toEqual([[]]);
    expect(reports).toMatchObject([{ kind: 'ahead', slot: 0, payload: { status: 'error' } }]);
  });

  it('leaves its slot to the next one', async () => {
    const { activate, deliver } = start();
    await activate(0, 'stillborn').catch(() => {});

    await activate(0, 'log');

    expect(whole(await deliver(...asked(0, [[1, event('count')]])))).toEqual([[0, 1], [1], [0], [], []]);
  });

  it('because its export is none fails with the names that are there', async () => {
    await expect(start().activate(0, 'nothing')).rejects.toMatchObject({ code: 'AGENT_EXPORT_INVALID' });
  });

  it('because its snapshot makes no sense fails as well', async () => {
    const { activate, deliver } = start();

    await expect(
      activate(0, 'worker', { snapshot: { status: 'active', value: 'nowhere', children: {} } }),
    ).rejects.toThrow('nowhere');

    expect(await deliver(...asked(0, [[1, event('ask')]]))).toEqual([[]]);
  });
});

describe('deactivating', () => {
  it('ends the instance; nothing more is handled or heard', async () => {
    const { activate, deliver, link, reports, progress } = start();
    await activate(0, 'worker', { watched: true });
    await deliver(...told(0, event('add')));
    const said = reports.length;

    await link.call('deactivate', 0);

    expect(await deliver(...told(0, event('add'), event('tell')))).toEqual([[]]);
    expect(progress.handled(0)).toBe(1);
    expect(reports).toHaveLength(said);
    await expect(link.call('snapshot', 0)).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  });

  it('stops the agent’s actor, so that its callbacks clean up', async () => {
    const scope = globalThis as { cleanedUp?: number };
    const { activate, link } = start();
    await activate(0, 'cleaning');
    expect(scope.cleanedUp).toBeUndefined();

    await link.call('deactivate', 0);

    expect(scope.cleanedUp).toBe(1);
    delete scope.cleanedUp;
  });

  it('is no error for a slot without an instance', async () => {
    expect(await start().link.call('deactivate', 99)).toBeUndefined();
  });

  it('sends what the instance had still to say before the call is answered', async () => {
    const { activate, link, order } = start();
    await activate(0, 'worker');

    const watching = link.call('watch', 0, true);
    const leaving = link.call('deactivate', 0).then(() => order.push('left'));
    await Promise.all([watching, leaving]);

    expect(order).toEqual(['activated', 'snapshot', 'left']);
  });

  it('keeps what was queued for it from the next instance in its slot', async () => {
    const { activate, link, deliver } = start();
    await activate(0, 'slow');
    await activate(1, 'log');
    const flood = Array.from({ length: 2000 }, (_, n) => event('e', { n }));
    const acks = [
      link.call('deliver', [...told(0, ...flood)]),
      link.call('deliver', [...told(0, event('e', { n: -1 }))]),
    ];

    await link.call('deactivate', 0);
    await activate(0, 'log');

    expect(whole(await deliver(...asked(0, [[1, event('list')]])))).toEqual([[0, 1], [1], [[]], [], []]);
    await Promise.all(acks);
  });
});

describe('questions to an instance', () => {
  it('are answered: can it take the event now, guards included', async () => {
    const { activate, deliver, link } = start();
    await activate(0, 'worker');
    await deliver(...told(0, event('start')));

    expect(await link.call('can', 0, event('rest'))).toBe(false);
    expect(await link.call('can', 0, event('unknown'))).toBe(false);
    await link.call('deactivate', 0);
    await activate(0, 'worker');
    await deliver(...told(0, event('add'), event('start')));

    expect(await link.call('can', 0, event('rest'))).toBe(true);
  });

  it('are answered for logic without guards: it takes every event', async () => {
    const { activate, link } = start();
    await activate(0, 'log');

    expect(await link.call('can', 0, event('anything'))).toBe(true);
  });

  it('about a slot that nobody is in are rejected', async () => {
    const { link } = start();

    for (const method of ['snapshot', 'persist', 'can']) {
      await expect(link.call(method, 4)).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
    }
  });

  it('for a snapshot with functions in it get all the rest', async () => {
    const { activate, deliver, link } = start();
    await activate(0, 'worker');
    await deliver(...told(0, event('add'), event('keep-function')));

    expect(await link.call('snapshot', 0)).toMatchObject({ context: { n: 1 }, incomplete: true });
  });

  it('for something to persist with functions in it are refused, and say why', async () => {
    const { activate, deliver, link } = start();
    await activate(0, 'worker');
    await deliver(...told(0, event('keep-function')));

    await expect(link.call('persist', 0)).rejects.toMatchObject({
      name: 'HoldfastError',
      code: 'REPLY_UNCLONABLE',
      message: expect.stringContaining('keep functions, actors of elsewhere and sockets out of the context'),
    });
  });

  it('for something to persist get what another instance can continue from, children included', async () => {
    const { activate, deliver, link } = start();
    await activate(0, 'worker');
    await deliver(...told(0, event('add'), event('add'), event('start')));

    const persisted = (await link.call('persist', 0)) as PersistedState;
    await activate(1, 'worker', { ...persisted });

    expect(Object.keys((persisted.snapshot as { children: object }).children)).toEqual(['ticker']);
    expect(await link.call('snapshot', 1)).toMatchObject({
      value: 'busy',
      context: { n: 2 },
      children: { ticker: { status: 'active', src: 'ticker' } },
    });
    expect(await link.call('can', 1, event('rest'))).toBe(true);
  });
});

describe('several threads in one', () => {
  it('keep their own numbers, clocks and instances', async () => {
    const timers: (() => void)[][] = [[], []];
    const rigs = timers.map((due, i) =>
      inProcess({
        thread: 7 + i,
        clock: { setTimeout: (run) => due.push(run), clearTimeout: () => {} },
      }),
    );
    try {
      expect(await Promise.all(rigs.map(({ link }) => link.call('hello')))).toEqual([7, 8]);
      await Promise.all(rigs.map(({ activate }) => activate(0, 'late')));
      await Promise.all(rigs.map(({ activate }) => activate(1, 'log')));

      const selves = await Promise.all(rigs.map(({ deliver }) => deliver(...asked(1, [[1, event('self')]]))));
      expect(selves.map(whole)).toMatchObject([
        [[1, 1], [1], [{ thread: 7 }], [], []],
        [[1, 1], [1], [{ thread: 8 }], [], []],
      ]);

      timers[1]?.[0]?.();
      await until(() => rigs[1]?.reports.length === 1);
      expect(rigs.map(({ reports }) => reports)).toMatchObject([
        [],
        [{ kind: 'parentEvent', slot: 0, payload: { type: 'late', thread: 8 } }],
      ]);
    } finally {
      for (const { link } of rigs) link.close(new Error('the test is over'));
    }
  });

  it.each(['depart', 'deactivate'])(
    'sends the answers there are before it says that %s is done',
    async (method) => {
      const later: (() => void)[] = [];
      const immediate = (run: () => void): void => void later.push(run);
      rig = inProcess({ loop: { immediate, now: () => 0 } });
      const { activate, deliver, link, progress, acks } = rig;
      await activate(0, 'log');
      deliver(
        ...asked(
          0,
          Array.from({ length: 100 }, (_, n) => [n + 1, event('count')]),
        ),
      ).catch(() => {});
      await until(() => later.length > 0);
      for (const run of later.splice(0)) run();
      const over = link.call(method, 0);
      if (method === 'depart') {
        await until(() => later.length > 1);
        later.pop()?.();
      }
      await over;
      const answered = acks.flatMap(([, tags = []]) => tags);
      expect([progress.handled(0), answered.length]).toEqual([64, 64]);
    },
  );
});
