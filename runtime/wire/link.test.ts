import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../base/errors.ts';
import { methodOf, openLink, type Link, type LinkApi, type LinkOptions } from './link.ts';

const links: Link[] = [];

/** Two links over one channel: the caller, and a side that offers `api`. */
function connect(api: LinkApi, options: LinkOptions = {}, callerApi: LinkApi = {}): [Link, Link] {
  const { port1, port2 } = new MessageChannel();
  const pair: [Link, Link] = [
    openLink(port1, { expose: callerApi }),
    openLink(port2, { ...options, expose: api }),
  ];
  links.push(...pair);
  return pair;
}

afterEach(() => {
  for (const link of links.splice(0)) link.close(new Error('the test is over'));
});

describe('a call', () => {
  it('is known by its method on its way, and an answer is none', async () => {
    const { port1, port2 } = new MessageChannel();
    const there: unknown[] = [];
    const back: unknown[] = [];
    const here = openLink(port1);
    openLink(port2, {
      expose: { add: (a: number, b: number) => a + b, fail: () => Promise.reject(new Error('no')) },
    });
    port2.on('message', (message) => there.push(methodOf(message)));
    port1.on('message', (message) => back.push(methodOf(message)));
    await here.call('add', 1, 2);
    await here.call('fail').catch(() => {});
    here.close(new Error('the test is over'));
    expect([there, back]).toEqual([
      ['add', 'fail'],
      [undefined, undefined],
    ]);
  });

  it('resolves with what the method returns or resolves with', async () => {
    const [caller] = connect({
      add: (a: number, b: number) => a + b,
      later: async (text: string) => `later ${text}`,
      nothing: () => {},
    });

    expect(await caller.call('add', 2, 3)).toBe(5);
    expect(await caller.call('later', 'x')).toBe('later x');
    expect(await caller.call('nothing')).toBeUndefined();
    expect(caller.pending).toBe(0);
  });

  it('carries what structured clone carries, in both directions', async () => {
    const [caller] = connect({ echo: (value: unknown) => value });
    const cyclic: Record<string, unknown> = { when: new Date(5), map: new Map([[1, new Set([2])]]), big: 3n };
    cyclic['self'] = cyclic;

    const back = (await caller.call('echo', cyclic)) as typeof cyclic;

    expect(back).not.toBe(cyclic);
    expect(back['self']).toBe(back);
    expect(back['when']).toEqual(new Date(5));
    expect(back['map']).toEqual(new Map([[1, new Set([2])]]));
    expect(back['big']).toBe(3n);
  });

  it('does not mistake a value that looks like an outcome or a wire error for one', async () => {
    const [caller] = connect({ echo: (value: unknown) => value });

    expect(await caller.call('echo', [0, { name: 'Error', message: 'just data' }])).toEqual([
      0,
      { name: 'Error', message: 'just data' },
    ]);
    expect(await caller.call('echo', { type: 'HANDLER', name: 'throw' })).toEqual({
      type: 'HANDLER',
      name: 'throw',
    });
  });

  it('works in both directions over the one port at the same time', async () => {
    const [left, right] = connect({ side: () => 'right' }, {}, { side: () => 'left' });

    expect(await Promise.all([left.call('side'), right.call('side'), left.call('side')])).toEqual([
      'right',
      'left',
      'right',
    ]);
  });

  it('is handled in the order of the calls, and each answer finds its own', async () => {
    const seen: number[] = [];
    const gates = new Map<number, () => void>();
    const [caller] = connect({
      wait(n: number) {
        seen.push(n);
        return new Promise((resolve) => gates.set(n, () => resolve(n * 10)));
      },
      open: (n: number) => gates.get(n)?.(),
    });
    const calls = [1, 2, 3].map((n) => caller.call('wait', n));
    expect(caller.pending).toBe(3);

    for (const n of [3, 1, 2]) await caller.call('open', n);

    expect(await Promise.all(calls)).toEqual([10, 20, 30]);
    expect(seen).toEqual([1, 2, 3]);
  });
});

describe('a method that throws', () => {
  it('rejects its call with the error as it was', async () => {
    const [caller] = connect({
      now() {
        throw Object.assign(new RangeError('out of range'), { code: 'E_RANGE', limit: 5 });
      },
      async later() {
        throw new HoldfastError('MAILBOX_FULL', 'full', { cause: new TypeError('inner') });
      },
    });

    const now = await caller.call('now').catch((error: unknown) => error);
    expect(now).toBeInstanceOf(RangeError);
    expect(now).toMatchObject({ message: 'out of range', code: 'E_RANGE', limit: 5 });

    const later = (await caller.call('later').catch((error: unknown) => error)) as HoldfastError;
    expect(later).toBeInstanceOf(HoldfastError);
    expect(later.code).toBe('MAILBOX_FULL');
    expect(later.cause).toBeInstanceOf(TypeError);
  });

  it.each([['text'], [0], [null], [undefined], [{ reason: 'an object' }]])(
    'rejects its call with the thrown value %j when it is no error',
    async (thrown) => {
      const [caller] = connect({ fail: () => Promise.reject(thrown) });

      await expect(caller.call('fail')).rejects.toEqual(thrown);
    },
  );
});

describe('an argument that cannot be cloned', () => {
  it('throws at once and leaves nothing pending', async () => {
    const [caller] = connect({ echo: (value: unknown) => value });

    expect(() => caller.call('echo', () => {})).toThrow(/could not be cloned/);

    expect(caller.pending).toBe(0);
    expect(await caller.call('echo', 1)).toBe(1);
  });
});

describe('a result that cannot be cloned', () => {
  it('rejects only that call', async () => {
    const [caller] = connect({ bad: () => () => {}, good: () => 'good' });

    const [bad, good] = await Promise.allSettled([caller.call('bad'), caller.call('good')]);

    expect(bad).toMatchObject({ status: 'rejected', reason: { name: 'TypeError' } });
    expect(good).toEqual({ status: 'fulfilled', value: 'good' });
  });

  it('is mended by repair where there is one', async () => {
    const repair = (value: unknown): unknown => (value as unknown[]).map((item) => typeof item);
    const [caller] = connect({ mixed: async () => [1, () => {}], plain: () => [1] }, { repair });

    expect(await caller.call('mixed')).toEqual(['number', 'function']);
    expect(await caller.call('plain')).toEqual([1]);
  });

  it('rejects with what repair throws', async () => {
    const repair = (): never => {
      throw new TypeError('keep functions out of the context');
    };
    const [caller] = connect({ bad: () => () => {}, good: () => 'good' }, { repair });

    const [bad, good] = await Promise.allSettled([caller.call('bad'), caller.call('good')]);

    expect(bad).toMatchObject({ reason: new TypeError('keep functions out of the context') });
    expect(good).toEqual({ status: 'fulfilled', value: 'good' });
  });

  it('rejects when what repair returns cannot be cloned either', async () => {
    const [caller] = connect({ bad: () => () => {} }, { repair: () => [() => {}] });

    await expect(caller.call('bad')).rejects.toThrow(TypeError);
    expect(caller.pending).toBe(0);
  });
});

describe('closing', () => {
  it('rejects what is pending, refuses what comes later, and tells the other side', async () => {
    const [caller, callee] = connect({ never: () => new Promise(() => {}) });
    const reason = new Error('closed by the test');
    const call = caller.call('never');
    const back = callee.call('anything');

    caller.close(reason);
    caller.close(new Error('a second close changes nothing'));

    await expect(call).rejects.toBe(reason);
    await expect(caller.call('never')).rejects.toBe(reason);
    await expect(back).rejects.toThrow('closed by the other side');
    expect([caller.pending, callee.pending]).toEqual([0, 0]);
  });

  it('does not trip over the answer of a method that ends afterwards', async () => {
    let finish: ((value: unknown) => void) | undefined;
    const started = new Promise<void>((resolve) => {
      const [caller, callee] = connect({
        slow() {
          resolve();
          return new Promise((settle) => (finish = settle));
        },
      });
      caller.call('slow').catch(() => callee.close(new Error('over')));
    });
    await started;

    links[0]?.close(new Error('closed by the test'));
    finish?.('too late');

    await expect(links[0]?.call('slow')).rejects.toThrow('closed by the test');
  });
});

describe('a call without an answer', () => {
  it('reaches a method that takes such calls, in order with all others, and moves what it is given', async () => {
    const heard: unknown[] = [];
    const note = (...args: unknown[]): void => void heard.push(args);
    const [caller] = connect({ note, read: () => heard }, { told: ['note'] });
    const bytes = new Uint8Array([1, 2]);

    caller.tell([], 'note', 1, 'a');
    caller.tell([bytes.buffer], 'note', bytes);

    expect(await caller.call('read')).toEqual([[1, 'a'], [new Uint8Array([1, 2])]]);
    expect(bytes.byteLength).toBe(0);
    expect(caller.pending).toBe(0);
    caller.close(new Error('over'));
    expect(() => caller.tell([], 'note')).not.toThrow();
  });

  it('is refused by every other method, and so is a call with an answer by one that gives none', async () => {
    const violations: string[] = [];
    const heard: unknown[] = [];
    const fails = (): never => {
      heard.push('fails');
      throw new Error('no');
    };
    const [caller] = connect(
      { note: () => heard.push('note'), read: () => heard, fails },
      { told: ['note', 'fails'], onViolation: (what) => violations.push(what) },
    );

    caller.tell([], 'read');
    caller.tell([], 'constructor');
    caller.tell([], 'note', ...Array.from({ length: 30 }, () => 0));
    caller.tell([], 'fails');
    await expect(caller.call('note')).rejects.toThrow('not allowed');

    expect(await caller.call('read')).toEqual(['fails']);
    expect(violations).toHaveLength(5);
  });
});

describe('a call with a waiter', () => {
  it('settles within the message that brings the answer, or the error', async () => {
    const { port1, port2 } = new MessageChannel();
    const heard: unknown[] = [];
    port1.on('message', () => heard.push('message'));
    const caller = openLink(port1);
    const api = {
      add: (a: number, b: number) => a + b,
      fail() {
        throw new Error('no');
      },
    };
    links.push(caller, openLink(port2, { expose: api, mailbox: ['add', 'fail'] }));
    await new Promise<void>((done) => {
      const waiter = {
        resolve: (value: unknown) => heard.push(value),
        reject(reason: unknown) {
          heard.push((reason as Error).message);
          done();
        },
      };
      caller.callThen([], waiter, 'add', 2, 3);
      caller.callThen([], waiter, 'fail');
      expect(caller.pending).toBe(2);
      // A listener that comes after the link's own.
      port1.on('message', () => heard.push('after'));
    });
    expect(heard).toEqual(['message', 5, 'after', 'message', 'no', 'after']);
    expect(caller.pending).toBe(0);
  });

  it('rejects, after it has returned, when the link is closed', async () => {
    const [caller] = connect({});
    caller.close(new Error('closed before'));
    const heard: unknown[] = [];
    await new Promise<void>((done) => {
      const reject = (reason: unknown): void => {
        heard.push((reason as Error).message);
        done();
      };
      caller.callThen([], { resolve: () => heard.push('resolved'), reject }, 'add');
      heard.push('returned');
    });
    expect(heard).toEqual(['returned', 'closed before']);
  });

  it('throws at once when it cannot be cloned, and is not pending', () => {
    const [caller] = connect({});
    const waiter = { resolve() {}, reject() {} };
    expect(() => caller.callThen([], waiter, 'add', () => {})).toThrow('could not be cloned');
    expect(caller.pending).toBe(0);
  });
});

it('what is told without an answer shows no memory that lies behind a value, where the method holds values of others', async () => {
  const { port1, port2 } = new MessageChannel();
  const teller = openLink(port1, { lists: { acknowledge: { call: 2 } } });
  const heard = new Promise<ArrayBufferLike>((resolve) => {
    const acknowledge = (ack: readonly [readonly Uint8Array[]]): void =>
      resolve((ack[0][0] as Uint8Array).buffer);
    links.push(teller, openLink(port2, { expose: { acknowledge }, told: ['acknowledge'] }));
  });
  teller.tell([], 'acknowledge', [[new Uint8Array(1000).subarray(0, 4)]]);
  expect((await heard).byteLength).toBe(4);
});
