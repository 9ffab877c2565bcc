import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from './fixtures/fake-clock.ts';
import type { Tag } from './tag.ts';
import { Waiting, type WaitOptions } from './waiting.ts';

const clock = new FakeClock();
const waiting = new Waiting(clock);
const offered: Tag[] = [];

function open(kind: 'ask' | 'delivery' = 'ask', options: Partial<WaitOptions> = {}): Promise<unknown> {
  return waiting.open(kind, { timeoutMs: 100, onTimeout: () => new Error('late'), ...options }, (tag) =>
    offered.push(tag),
  );
}

function lastTag(): Tag {
  return offered.at(-1) as Tag;
}

afterEach(() => {
  // Whatever a test did, nobody waits any more and no timer is left.
  expect(waiting.size).toBe(0);
  expect(clock.pending).toBe(0);
  offered.length = 0;
});

describe('a wait', () => {
  it('is marked by a tag of its kind: asks above zero, deliveries below', async () => {
    const waits = [open('ask'), open('delivery'), open('ask')];
    expect(offered.map(Math.sign)).toEqual([1, -1, 1]);
    expect(new Set(offered.map(Math.abs)).size).toBe(3);

    for (const tag of offered) waiting.resolve(tag, `for ${tag}`);

    expect(await Promise.all(waits)).toEqual(offered.map((tag) => `for ${tag}`));
  });

  it('is open before its envelope is offered, which may be refused at once', async () => {
    const refused = waiting.open('ask', { timeoutMs: 100, onTimeout: () => new Error('late') }, (tag) =>
      waiting.reject(tag, new Error('mailbox full')),
    );

    await expect(refused).rejects.toThrow('mailbox full');
  });

  it('leaves nothing behind when the offer throws', async () => {
    const failed = waiting.open('ask', { timeoutMs: 100, onTimeout: () => new Error('late') }, () => {
      throw new Error('the offer failed');
    });

    await expect(failed).rejects.toThrow('the offer failed');
  });

  it('rejects with what it is rejected with', async () => {
    const wait = open();
    const reason = new Error('crashed');

    waiting.reject(lastTag(), reason);

    await expect(wait).rejects.toBe(reason);
  });
});

describe('a deadline', () => {
  it('rejects exactly when the time is up, with an error made only then', async () => {
    let made = 0;
    const wait = open('ask', {
      timeoutMs: 50,
      onTimeout() {
        made += 1;
        return new Error('50 ms are over');
      },
    });
    clock.pass(49);
    expect([waiting.size, made]).toEqual([1, 0]);

    clock.pass(1);

    await expect(wait).rejects.toThrow('50 ms are over');
    expect(made).toBe(1);
  });

  it('is each one’s own', async () => {
    const [slow, quick] = [open('ask', { timeoutMs: 500 }), open('delivery', { timeoutMs: 20 })];
    const [slowTag] = offered;

    clock.pass(20);
    await expect(quick).rejects.toThrow('late');
    expect(waiting.size).toBe(1);
    waiting.resolve(slowTag as Tag, 'in time');

    expect(await slow).toBe('in time');
  });

  it('is over with the answer', async () => {
    const wait = open();
    waiting.resolve(lastTag(), 1);

    expect(clock.pending).toBe(0);
    clock.pass(1000);
    expect(await wait).toBe(1);
  });
});

describe('an abort signal', () => {
  it('that has fired keeps the envelope from being offered at all', async () => {
    const reason = new Error('not any more');

    await expect(open('ask', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);

    expect(offered).toEqual([]);
  });

  it('that fires later rejects with its reason', async () => {
    const controller = new AbortController();
    const wait = open('ask', { signal: controller.signal });

    controller.abort(new Error('enough'));

    await expect(wait).rejects.toThrow('enough');
  });

  it('is no longer listened to once the wait is over, and changes nothing then', async () => {
    const { signal, abort } = ((controller) => ({
      signal: controller.signal,
      abort: () => controller.abort(new Error('too late')),
    }))(new AbortController());
    const waits = [open('ask', { signal }), open('ask', { signal }), open('ask', { signal, timeoutMs: 5 })];
    expect(getEventListeners(signal, 'abort')).toHaveLength(3);
    const [first, second] = offered;

    waiting.resolve(first as Tag, 'answered');
    waiting.reject(second as Tag, new Error('refused'));
    clock.pass(5);

    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    abort();
    expect((await Promise.allSettled(waits)).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
    ]);
  });
});

describe('an answer to nobody', () => {
  it.each([0, 1_000_000, -1_000_000, Number.NaN])('is ignored: tag %d', (tag) => {
    expect(() => waiting.resolve(tag, 'x')).not.toThrow();
    expect(() => waiting.reject(tag, new Error('x'))).not.toThrow();
  });

  it('is ignored when it comes after the deadline, or twice', async () => {
    const wait = open('ask', { timeoutMs: 10 });
    const tag = lastTag();
    clock.pass(10);

    waiting.resolve(tag, 'late');
    waiting.resolve(tag, 'later');
    waiting.reject(tag, new Error('latest'));

    await expect(wait).rejects.toThrow('late');
  });

  it('does not reach a delivery by the tag of an ask, nor the other way round', async () => {
    const wait = open('ask');
    const tag = lastTag();

    waiting.resolve(-tag, 'for a delivery');
    expect(waiting.size).toBe(1);
    waiting.resolve(tag, 'for the ask');

    expect(await wait).toBe('for the ask');
  });
});

describe('a signal that is no platform’s own', () => {
  const broken = (): never => {
    throw new Error('the signal is broken');
  };
  const quiet = { aborted: false, reason: 'gone', addEventListener() {}, removeEventListener() {} };
  const signalWith = (change: object): AbortSignal => ({ ...quiet, ...change }) as unknown as AbortSignal;

  it('may throw when it is asked or listened to: the wait is refused, and nothing is offered', async () => {
    const asked = Object.defineProperty(signalWith({}), 'aborted', { get: broken });
    for (const signal of [asked, signalWith({ addEventListener: broken })])
      await expect(open('ask', { signal })).rejects.toThrow('the signal is broken');
    expect(offered).toEqual([]);
  });

  it('may throw when it is left alone: whoever waits is told in any case', async () => {
    const late = open('ask', { signal: signalWith({ removeEventListener: broken }) });
    clock.pass(100);
    await expect(late).rejects.toThrow('late');
  });

  it('may not know its reason', async () => {
    let abort = (): void => {};
    const signal = signalWith({ addEventListener: (_type: string, run: () => void) => void (abort = run) });
    const wait = open('ask', { signal: Object.defineProperty(signal, 'reason', { get: broken }) });
    abort();
    await expect(wait).rejects.toThrow('the signal is broken');
  });
});
