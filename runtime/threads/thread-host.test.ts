import type { Ending } from '../base/ending.ts';
import { describe, expect, test, vi } from 'vitest';
import { stepsOf } from '../fixtures/steps.ts';
import { lonelyAgent, settled } from '../instance/fixtures/lone-instance.ts';
import { LoneHost, lonelyPool } from './fixtures/lone-thread.ts';
import { MOST_USES } from '../wire/protocol.ts';

/** A host whose thread is up. */
async function up(...options: ConstructorParameters<typeof LoneHost>): Promise<LoneHost> {
  const lone = new LoneHost(...options);
  await settled();
  lone.told.length = 0;
  return lone;
}

describe('a thread that starts', () => {
  test('starts its instances once it is up, in the order in which they came', async () => {
    const lone = new LoneHost();
    const [a, b] = [lone.seat('a'), lone.seat('b')];
    expect([lone.thread.calls, lone.host.ready]).toEqual([[], false]);
    await settled();
    expect(lone.thread.called('activate')).toMatchObject([
      [{ slot: 0, address: 'agent/a', incarnation: 1 }],
      [{ slot: 1, address: 'agent/b', incarnation: 1 }],
    ]);
    expect([a.instance.phase, b.instance.phase, lone.host.instances]).toEqual(['running', 'running', 2]);
    expect(lone.told).toEqual(['worker.ready', 'running', 'running']);
  });

  test('and cannot run an agent that it was to run, fails', async () => {
    const lone = new LoneHost({ runs: [lonelyAgent()] });
    lone.thread.answers.load = () => Promise.reject(new Error('no such module'));
    await settled();
    expect([lone.host.ready, lone.told]).toEqual([false, ['worker.failed']]);
  });

  test('and ends before it is up, has no seat for those who waited', async () => {
    const lone = new LoneHost();
    const waiting = lone.seat('a');
    lone.thread.exit(1);
    expect(lone.told).toEqual(['worker.exit', 'gone']);
    await expect(waiting.instance.started).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  });

  test('gives a place back that nobody takes', async () => {
    const lone = await up();
    lone.host.host('agent/nobody');
    const a = lone.seat('a');
    lone.host.host('agent/a');
    await settled();
    expect(lone.told).toEqual(['release', 'release', 'running']);
    expect(a.instance.thread).toBe(33);
  });
});

describe('an instance that starts', () => {
  test('and does not in time, has failed; when it starts at last, it is stopped there before its slot is free', async () => {
    const lone = await up();
    const activated = Promise.withResolvers<void>();
    lone.thread.answers.activate = () => activated.promise;
    const late = lone.seat('late');
    await settled();
    lone.clock.pass(1000);
    await expect(late.instance.started).rejects.toMatchObject({ code: 'THREAD_START_TIMEOUT' });
    expect(lone.host.instances).toBe(1);
    activated.resolve();
    await settled();
    expect(lone.thread.called('deactivate')[0]).toEqual([[0], 1]);
    expect(lone.host.instances).toBe(0);
  });

  test('and is stopped meanwhile, does not stay', async () => {
    const lone = await up();
    const activated = Promise.withResolvers<void>();
    lone.thread.answers.activate = () => activated.promise;
    const { instance } = lone.seat('a');
    await settled();
    await instance.stop();
    expect(instance.phase).toBe('ended');
    activated.resolve();
    await settled();
    expect([lone.thread.called('deactivate').length > 0, lone.host.instances]).toEqual([true, 0]);
  });
});

describe('instances whose module the thread has loaded', () => {
  /** A host whose thread has started one instance and answers further starts when it is told to. */
  async function started(): Promise<{ lone: LoneHost; answer: (outcomes?: unknown) => Promise<void> }> {
    const lone = await up();
    lone.seat('first');
    await settled();
    const answers: PromiseWithResolvers<unknown>[] = [];
    lone.thread.answers.activateAll = () => {
      answers.push(Promise.withResolvers());
      return answers.at(-1)?.promise;
    };
    return {
      lone,
      async answer(outcomes = [0]) {
        answers.shift()?.resolve(outcomes);
        await settled();
      },
    };
  }

  const startedAt = ({ thread }: LoneHost): unknown =>
    thread
      .called('activateAll')
      .map(([requests]) => (requests as { address: string }[]).map(({ address }) => address));

  test('start together; those that come meanwhile leave with the answer, in their order', async () => {
    const { lone, answer } = await started();
    const [a, b] = [lone.seat('a'), lone.seat('b')];
    await settled();
    const [c, d] = [lone.seat('c'), lone.seat('d')];
    await settled();
    expect(startedAt(lone)).toEqual([['agent/a', 'agent/b']]);
    await answer([0, 0]);
    expect(startedAt(lone)).toEqual([
      ['agent/a', 'agent/b'],
      ['agent/c', 'agent/d'],
    ]);
    expect([a, b, c, d].map(({ instance }) => instance.phase)).toEqual([
      'running',
      'running',
      'starting',
      'starting',
    ]);
  });

  test('fail each by itself', async () => {
    const { lone, answer } = await started();
    const [a, b] = [lone.seat('a'), lone.seat('b')];
    await settled();
    await answer([{ name: 'Error', message: 'no start today' }, 0]);
    await expect(a.instance.started).rejects.toThrow('no start today');
    expect([b.instance.phase, lone.host.instances]).toEqual(['running', 2]);
  });

  test('are not held by one that is not loaded', async () => {
    const { lone, answer } = await started();
    lone.thread.answers.activate = () => new Promise(() => {});
    lone.seat('other', { agent: lonelyAgent({ name: 'other' }) });
    const { instance } = lone.seat('a');
    await settled();
    await answer();
    expect(instance.phase).toBe('running');
  });

  test('start although one of them cannot be cloned', async () => {
    const { lone } = await started();
    const [a, b] = [lone.seat('a', { input: () => {} }), lone.seat('b')];
    await settled();
    await expect(a.instance.started).rejects.toMatchObject({ code: 'MESSAGE_UNCLONABLE' });
    expect([b.instance.phase, startedAt(lone), lone.host.instances]).toEqual(['running', [], 2]);
  });

  test('are told of no more than 256 at a time', async () => {
    const { lone } = await started();
    for (let n = 0; n < 300; n++) lone.seat(String(n));
    await settled();
    expect(lone.thread.called('activateAll').map(([requests]) => (requests as unknown[]).length)).toEqual([
      256,
    ]);
  });

  test('and are late, have failed whether the thread was told of them or not; the others start', async () => {
    const { lone, answer } = await started();
    const told = lone.seat('told');
    await settled();
    lone.clock.pass(400);
    const waiting = lone.seat('waiting');
    lone.clock.pass(400);
    const later = lone.seat('later');
    lone.clock.pass(200);
    await expect(told.instance.started).rejects.toMatchObject({ code: 'THREAD_START_TIMEOUT' });
    lone.clock.pass(400);
    await expect(waiting.instance.started).rejects.toMatchObject({ code: 'THREAD_START_TIMEOUT' });
    await answer();
    expect(startedAt(lone)).toEqual([['agent/told'], ['agent/later']]);
    await answer();
    expect([later.instance.phase, lone.host.instances]).toEqual(['running', 2]);
    expect(lone.thread.called('deactivate')[0]?.[0]).toEqual([1]);
  });

  test('and are stopped before the thread was told of them, never get there', async () => {
    const { lone, answer } = await started();
    lone.seat('a');
    await settled();
    const { instance } = lone.seat('b');
    await instance.stop();
    await answer();
    expect([startedAt(lone), lone.host.instances]).toEqual([[['agent/a']], 2]);
  });

  test('end with the thread, those that it was not told of too', async () => {
    const { lone } = await started();
    const told = lone.seat('told');
    await settled();
    const waiting = lone.seat('waiting');
    lone.thread.exit(1);
    await expect(told.instance.started).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
    await expect(waiting.instance.started).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  });

  test.each([[[]], [[0, 0]], [[1]], [Object.assign([], { length: 4_000_000_000 })], ['yes']])(
    'end with a thread that answers what fits no start: %#',
    async (outcomes) => {
      const { lone, answer } = await started();
      lone.seat('a');
      await settled();
      await answer(outcomes);
      expect(lone.told).toContain('worker.failed');
    },
  );
});

test('an instance goes on without a thread that does not let go of it in time; its place is free when the thread does', async () => {
  const lone = await up();
  const { instance } = lone.seat('a');
  await settled();
  const gate = Promise.withResolvers<void>();
  lone.thread.answers.deactivate = () => gate.promise;
  const stopped = instance.stop();
  await settled();
  lone.clock.pass(5000);
  await stopped;
  expect([instance.phase, lone.told.includes('release'), lone.host.instances]).toEqual(['ended', false, 1]);
  gate.resolve();
  await settled();
  expect([lone.told.includes('release'), lone.host.instances]).toEqual([true, 0]);
});

describe('a thread that dies', () => {
  test('frees its room before its instances hear of it, and knows what it had in hand', async () => {
    const lone = await up();
    const { instance, letters } = lone.seat('a');
    await settled();
    const outcomes: string[] = [];
    for (const name of ['handled', 'in hand', 'not begun']) {
      const delivery = instance.inbox.open(
        'delivery',
        { type: name },
        { timeoutMs: 1000, onTimeout: () => new Error() },
      );
      delivery.then(
        () => outcomes.push(`${name}: ok`),
        (error: { code: string }) => outcomes.push(`${name}: ${error.code}`),
      );
    }
    await settled();
    lone.told.length = 0;
    const { progress } = lone.thread;
    progress.begin(0);
    progress.end(0);
    progress.begin(0);
    lone.thread.exit(7);
    await settled();
    expect(lone.told).toEqual(['worker.exit', 'failed: exit']);
    expect(letters.list()).toMatchObject([
      {
        reason: 'poison',
        event: { type: 'in hand' },
        evidence: { cause: 'exit', thread: 'holdfast:pool:1' },
      },
    ]);
    expect(outcomes).toEqual(['handled: ok', 'in hand: THREAD_CRASHED']);
    expect([instance.phase, instance.mailbox.depth]).toEqual(['restarting', 1]);
    expect([lone.host.gone, lone.host.instances, lone.host.cause]).toEqual([true, 0, 'exit']);
  });

  test('of what nobody caught, says so before it ends', async () => {
    const lone = await up();
    lone.seat('a');
    await settled();
    lone.told.length = 0;
    lone.thread.fail(new RangeError('no'));
    lone.thread.exit(1);
    expect(lone.told).toEqual(['worker.failed', 'worker.exit', 'failed: error']);
  });

  test('and does not end, is left behind: its instances go on, and its exit is told when it comes', async () => {
    const lone = await up();
    lone.seat('a');
    await settled();
    lone.told.length = 0;
    lone.host.end('hang');
    lone.host.abandon();
    expect([lone.thread.terminated, lone.told]).toEqual([true, ['failed: hang']]);
    lone.thread.exit(1);
    expect(lone.told).toEqual(['failed: hang', 'worker.exit']);
  });
});

describe('a thread that is replaced', () => {
  test('sends its instances off with their states, and those as well that have only just begun', async () => {
    const lone = await up();
    const state = { snapshot: { status: 'active' }, timers: [] };
    lone.thread.answers.depart = () => state;
    const first = lone.seat('first');
    await settled();
    lone.told.length = 0;
    lone.host.moveOut(false);
    const second = lone.seat('second');
    await settled();
    expect(lone.thread.called('depart')).toEqual([
      [0, false],
      [1, false],
    ]);
    expect([first.instance.phase, second.instance.phase]).toEqual(['moving', 'moving']);
    expect(lone.told.filter((what) => what.startsWith('worker'))).toContain('worker.vacated');
    expect(lone.told.filter((what) => what === 'moving from 1')).toHaveLength(2);
  });

  test('stops those that cannot go, the last started first, and each begins anew', async () => {
    const lone = await up();
    const all = ['a', 'b', 'c'].map((id) => lone.seat(id));
    await settled();
    lone.told.length = 0;
    await lone.host.windDown();
    expect(lone.thread.called('deactivate')).toEqual([[[2, 1, 0], 3]]);
    expect(lone.told.at(-1)).toBe('worker.emptied');
    expect(all.map(({ instance }) => [instance.phase, lone.host.hasWoundDown(instance)])).toEqual(
      all.map(() => ['restarting', true]),
    );
  });
});

describe('what a thread says', () => {
  test('and is no answer to the question, ends it', async () => {
    const lone = await up();
    const { instance } = lone.seat('a');
    lone.thread.answers.can = () => 'perhaps';
    await settled();
    const answer = instance.query('can', 1000).catch((error: unknown) => error);
    await settled();
    expect(lone.told).toContain('worker.failed');
    lone.thread.exit(1);
    await instance.stop();
    expect(await answer).toMatchObject({ code: 'THREAD_CRASHED' });
  });

  test('and is no call of the host, is refused and counted', async () => {
    const lone = await up();
    await expect(lone.thread.link.call('secret', 'x')).rejects.toThrow('this is not a call of secret()');
    await expect(lone.thread.link.call('ended', 5)).rejects.toThrow('this is not a call of ended()');
    expect(lone.warned).toHaveLength(2);
    expect(lone.host.gone).toBe(false);
  });

  test('of a secret, is said of an instance that sits there, and of nobody else', async () => {
    const callers: string[] = [];
    const lone = await up({
      useSecret: ({ address }) => {
        callers.push(address);
        return Promise.resolve('done');
      },
    });
    lone.seat('a');
    await settled();
    for (const slot of [0, 5]) await lone.thread.link.call('secret', slot, 1, 'fetch', {}, slot);
    expect(callers).toEqual(['agent/a', '']);
  });

  test('of uses of capabilities, is answered for each, and a malformed one for none', async () => {
    const asked: unknown[] = [];
    const lone = await up({
      useSecret: async ({ address }, use, input) => {
        asked.push([address, use, input]);
        if (asked.length === 2) throw new RangeError('no');
        return asked.length;
      },
    });
    lone.seat('a');
    await settled();
    const use = (n: number, slot = 0): unknown[] => [slot, 1, 'sign', 'key', n, n, undefined];
    lone.thread.link.tell([], 'uses', [...use(1), ...use(2), ...use(3, 7)]);
    await expect.poll(() => lone.thread.called('used')).toHaveLength(1);
    const input = (args: number) => ({ name: 'sign', label: 'key', args });
    expect(asked).toEqual([
      ['agent/a', 'capability', input(1)],
      ['agent/a', 'capability', input(2)],
      ['', 'capability', input(3)],
    ]);
    expect(lone.thread.called('used')).toMatchObject([[[1, 1, 1, 2, 0, { message: 'no' }, 3, 1, 3]]]);
    lone.thread.link.tell([], 'uses', [...use(4), ...use(-1)]);
    lone.thread.link.tell([], 'uses', Array.from({ length: MOST_USES + 1 }, (_, n) => use(n)).flat());
    await expect.poll(() => lone.warned).toHaveLength(4);
    expect(asked).toHaveLength(3);
  });

  test('of a use of a secret that nobody waits for any more, ends the use', async () => {
    const endings: Ending[] = [];
    const lone = await up({
      useSecret: (_caller, _use, _input, ending) => {
        endings.push(ending);
        return new Promise(() => {});
      },
    });
    lone.thread.link.call('secret', 0, 1, 'fetch', {}, 9).catch(() => {});
    await settled();
    await lone.thread.link.call('giveUp', 9);
    expect(endings.map(({ ended }) => ended)).toEqual([true]);
  });
});

test('memory that threads share does not go to a pool that may not have it', async () => {
  const lone = await up({ pool: lonelyPool() });
  const { instance } = lone.seat('a');
  await settled();
  const answer = instance.query('can', 1000, { type: 'x', shared: new SharedArrayBuffer(1) });
  await expect(answer).rejects.toMatchObject({ code: 'MESSAGE_UNCLONABLE' });
  expect(lone.thread.called('can')).toEqual([]);
});

describe('a thread that asks what is committed', () => {
  test('hears which of the instances it names another runtime has continued, and nothing of others', async () => {
    const lone = await up();
    for (const id of 'abc') {
      const { instance } = lone.seat(id);
      if (id !== 'b') vi.spyOn(instance.continuation, 'isFenced', 'get').mockReturnValue(true);
    }
    await settled();
    expect(await lone.thread.link.call('committed', [0, 1, 7])).toEqual([0]);
    for (const odd of [undefined, 'all', [-1], Array.from({ length: 2 }), [{}]])
      await expect(lone.thread.link.call('committed', odd)).rejects.toThrow(
        'this is not a call of committed()',
      );
  });

  test('has those looked at alone, however many it has', async () => {
    const stepsWith = async (n: number): Promise<number> => {
      const lone = await up();
      for (let i = 0; i < n; i += 1) lone.seat(String(i));
      await settled();
      return stepsOf(() => lone.thread.link.call('committed', [7]));
    };
    expect(await stepsWith(1000)).toBe(await stepsWith(10));
  });
});
