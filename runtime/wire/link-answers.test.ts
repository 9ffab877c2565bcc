import { MessageChannel } from 'node:worker_threads';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { linkWithRawPeer, type Pair } from './fixtures/raw-peer.ts';

let pair: Pair | undefined;

function open(): Pair {
  pair = linkWithRawPeer();
  return pair;
}

afterEach(() => pair?.close());

function cyclicError(): Record<string, unknown> {
  const wire: Record<string, unknown> = { name: 'Error', message: 'round and round' };
  wire['cause'] = wire;
  return wire;
}

describe('an answer that is no answer rejects its call and is counted', () => {
  const malformed: Record<string, Record<string, unknown>> = {
    'RAW without a value': { type: 'RAW' },
    'RAW null': { type: 'RAW', value: null },
    'RAW text': { type: 'RAW', value: 'x' },
    'RAW object': { type: 'RAW', value: { 0: 1, 1: 'forged' } },
    'RAW empty outcome': { type: 'RAW', value: [] },
    'RAW outcome of a third kind': { type: 'RAW', value: [2, 'x'] },
    'RAW outcome of a text': { type: 'RAW', value: ['1', 'x'] },
    'RAW failure without an error': { type: 'RAW', value: [0] },
    'RAW failure of null': { type: 'RAW', value: [0, null] },
    'RAW failure of a text': { type: 'RAW', value: [0, 'x'] },
    'HANDLER without a value': { type: 'HANDLER', name: 'throw' },
    'HANDLER null': { type: 'HANDLER', name: 'throw', value: null },
    'HANDLER throw of nothing': { type: 'HANDLER', name: 'throw', value: {} },
    'HANDLER proxy': { type: 'HANDLER', name: 'proxy', value: { value: { message: 'x' } } },
    'HANDLER of an unknown name': { type: 'HANDLER', name: 'other', value: { value: { message: 'x' } } },
  };

  it.each(Object.entries(malformed))('%s', async (_name, answer) => {
    const { link, peer, violations } = open();
    peer.answerNext(answer);
    peer.answerNext({ type: 'RAW', value: [1, 'fine'] });

    await expect(link.call('anything')).rejects.toMatchObject({
      name: 'HoldfastError',
      code: 'THREAD_CRASHED',
      message: expect.stringContaining('a frame that is not an answer') as string,
    });

    expect(violations).toHaveLength(1);
    expect(link.pending).toBe(0);
    expect(await link.call('anything')).toBe('fine');
  });

  it('HANDLER proxy with a live port: nothing of it is used', async () => {
    const { link, peer } = open();
    const { port1, port2 } = new MessageChannel();
    let used = 0;
    port1.on('message', () => (used += 1));
    const call = link.call('anything');
    await peer.ping();

    peer.port.postMessage({ id: 1, type: 'HANDLER', name: 'proxy', value: port2 }, [port2]);

    await expect(call).rejects.toThrow('a frame that is not an answer');
    await peer.ping();
    expect(used).toBe(0);
    port1.close();
  });
});

describe('a failure with an error that was made up', () => {
  const made: Record<string, unknown> = {
    'no fields': {},
    'the name __proto__': { name: '__proto__', message: 'x' },
    'the name constructor': { name: 'constructor', message: 'x' },
    'the name toString': { name: 'toString', message: 'x' },
    'a name that is an object': { name: { toString: 1 }, message: 'x' },
    'a message that cannot become text': { name: 'Error', message: { toString: 1, valueOf: 1 } },
    'a stack that is an object': { name: 'Error', message: 'x', stack: { toString: 1 } },
    'fields that are a number': { name: 'Error', message: 'x', props: 5 },
    'fields that are null': { name: 'Error', message: 'x', props: null },
    'a code that is an object': { name: 'HoldfastError', message: 'x', props: { code: {} } },
    'a cause that is null': { name: 'Error', message: 'x', cause: null },
    'a cause that is a text': { name: 'Error', message: 'x', cause: 'y' },
    'a cause that is itself': cyclicError(),
    'errors that are no list': { name: 'AggregateError', message: 'x', errors: 5 },
  };

  it.each(Object.entries(made))('rejects the call and throws nowhere else: %s', async (_name, error) => {
    const { link, peer } = open();
    peer.answerNext({ type: 'RAW', value: [0, error] });

    const [settled] = await Promise.allSettled([link.call('anything')]);

    expect(settled.status).toBe('rejected');
    expect(link.pending).toBe(0);
    expect(await peer.ping()).toEqual([1, 'pong']);
    expect(({} as Record<string, unknown>)['code']).toBeUndefined();
  });

  it('sets no prototype, however its fields are named', async () => {
    const { link, peer } = open();
    const props = JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"polluted": 1}}') as object;
    peer.answerNext({ type: 'RAW', value: [0, { name: 'Error', message: 'x', props }] });

    const error = await link.call('anything').catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(Error);
    expect((error as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('any frame at all', () => {
  /** Anything, and what looks more and more like a frame. */
  const field = fc.oneof(
    fc.anything({ withMap: true, withSet: true, withDate: true, withBigInt: true, withTypedArray: true }),
    fc.constantFrom('RAW', 'HANDLER', 'APPLY', 'GET', 'SET', 'throw', 'proxy', 'ping', '__proto__', 1, 2),
    fc.array(fc.anything(), { maxLength: 3 }),
    fc.constantFrom([1], [0], [0, null], ['ping'], ['constructor', 'constructor']),
  );
  const frame = fc.oneof(
    fc.anything(),
    fc.record(
      { id: field, type: field, name: field, value: field, path: field, argumentList: field },
      { requiredKeys: [] },
    ),
    fc.record(
      {
        id: fc.constantFrom(1, 2, 'a', '__proto__'),
        type: fc.constantFrom('RAW', 'HANDLER', 'APPLY', 'GET', 'SET', 'CONSTRUCT', 'ENDPOINT', 'RELEASE'),
        name: field,
        value: field,
        path: field,
        argumentList: field,
      },
      { requiredKeys: ['id', 'type'] },
    ),
  );

  it('never makes the handler throw, and the next legitimate call is served', async () => {
    const { link, peer, violations } = open();
    // Two calls that any made-up answer may settle, one way or the other.
    const pending = [link.call('a'), link.call('b')].map((call) => call.catch(() => {}));
    let posted = 0;

    await fc.assert(
      fc.asyncProperty(frame, async (message) => {
        try {
          peer.port.postMessage(message);
        } catch {
          return; // What cannot be cloned cannot be sent by anybody.
        }
        posted += 1;
        // An uncaught exception of the handler fails the run; the answer shows that it is still there.
        expect(await peer.ping()).toEqual([1, 'pong']);
      }),
      { numRuns: 1000 },
    );

    expect(posted).toBeGreaterThan(500);
    expect(violations.length).toBeGreaterThan(300);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    pair?.close();
    await Promise.all(pending);
  });
});
