import fc from 'fast-check';
import { createActor, fromCallback, fromObservable, fromPromise, fromTransition, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../base/errors.ts';
import { MAX_LEVELS } from '../mailbox/size.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import { decodeEvent, decodeState, encodeEvent, encodeState } from './encoded-state.ts';

const stateOf = (context: unknown): PersistedState => ({
  snapshot: { status: 'active', value: 'a', context, historyValue: {}, children: {} },
  timers: [],
});

function thrownBy(run: () => unknown): HoldfastError {
  try {
    run();
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

class Point {
  readonly x = 1;
}
const shared = { a: 1 };
const loop: Record<string, unknown> = { a: 1 };
loop['self'] = loop;
const named: unknown[] & { extra?: number } = [1, 2];
named.extra = 3;
const both: unknown[] & { extra?: number } = [1, 2, 3];
Reflect.deleteProperty(both, 1);
both.extra = 3;
const hidden = Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 'something else' });

describe('what JSON says faithfully is text', () => {
  test.each<[string, unknown]>([
    ['nothing', null],
    ['numbers', [0, 1, -1.5, 1e300, Number.MIN_VALUE, Number.MAX_SAFE_INTEGER]],
    ['text with halves of characters', ['\ud800', 'a\udfff', '\u2028\n\0"\\', '\ud83d\ude00']],
    ['lists and objects', { a: [{}, [], [[true]]], b: { c: false } }],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
    ['a field named __proto__', JSON.parse('{"__proto__": {"a": 1}, "constructor": 1, "toJSON": 2}')],
    ['fields that are undefined', { a: undefined, b: [{ c: undefined }], __proto: { d: undefined } }],
    ['items that are undefined', [undefined, 1, [undefined]]],
    ['a field that clone leaves out', { a: 1, [Symbol('s')]: 1 }],
  ])('%s', (_name, value) => {
    const encoded = encodeEvent(value);
    expect(typeof encoded).toBe('string');
    expect(decodeEvent(encoded)).toStrictEqual(structuredClone(value));
  });

  test('the state of a machine with every kind of child, as XState gives it', () => {
    const logic = {
      promise: fromPromise(() => new Promise(() => {})),
      callback: fromCallback(() => {}),
      transition: fromTransition((state) => state, { n: 1 }),
      observable: fromObservable(() => ({ subscribe: () => ({ unsubscribe: () => {} }) })),
      machine: setup({}).createMachine({ initial: 'x', states: { x: {} } }),
    };
    const machine = setup({ actors: logic }).createMachine({
      context: { user: null },
      initial: 'a',
      states: {
        a: { invoke: Object.keys(logic).map((src) => ({ src: src as keyof typeof logic, id: src })) },
      },
    });
    const actor = createActor(machine).start();
    const state = { snapshot: actor.getPersistedSnapshot(), timers: [] };
    const encoded = encodeState(state);
    expect(encoded).toMatch(/^\{"snapshot":\{"status":"active","value":"a"/u);
    expect(decodeState(encoded)).toEqual(structuredClone(state));
    actor.stop();
  });

  test('a state whose context has fields that are undefined', () => {
    const state = stateOf({ user: undefined, order: { price: undefined } });
    const encoded = encodeState(state);
    expect(typeof encoded).toBe('string');
    expect(decodeState(encoded)).toStrictEqual(structuredClone(state));
  });
});

describe('everything else is bytes', () => {
  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['a date', { at: new Date(5) }],
    ['a map and a set', [new Map([[{ a: 1 }, new Set([1])]])]],
    ['numbers that JSON changes', [Number.NaN]],
    ['an infinite number', { n: Infinity }],
    ['a zero with a sign', { n: -0 }],
    ['a big integer', 12n],
    ['a pattern', /a/giu],
    ['boxed primitives', [Object(1), Object('a'), Object(1n)]],
    ['a hole', Array.from({ length: 3 }).fill(1, 1, 2).concat(Array(2))],
    ['a list with a name', named],
    ['a match', /b(c)/u.exec('abc')],
    ['a list with as many names as holes', both],
    ['an object that says something else to JSON', hidden],
    ['an instance of a class', { point: new Point(), at: new (class extends Date {})(1) }],
    ['a part that stands in two places', { a: shared, b: [shared] }],
    ['a cycle', loop],
    ['an error with a cause', { error: new TypeError('bad', { cause: { code: 1 } }) }],
    ['what an aborted request leaves', { errors: [new DOMException('over', 'AbortError')] }],
    ['an exception in a map', new Map([['a', new DOMException('over', 'TimeoutError')]])],
    ['an exception', new DOMException('over', 'AbortError')],
    ['memory', { a: new Uint16Array([1, 2]), b: new DataView(new ArrayBuffer(3)), c: new ArrayBuffer(2) }],
    ['more undefined fields than are worth a path', { list: Array.from({ length: 300 }, () => undefined) }],
  ])('%s', (_name, value) => {
    const encoded = encodeEvent(value);
    expect(encoded).toBeInstanceOf(Uint8Array);
    expect(decodeEvent(encoded)).toStrictEqual(structuredClone(value));
  });

  test('a shared part stays one part', () => {
    const decoded = decodeEvent(encodeEvent({ a: shared, b: shared })) as { a: object; b: object };
    expect(decoded.a).toBe(decoded.b);
  });

  test('an exception keeps its name, code and stack', () => {
    const exception = new DOMException('over', 'AbortError');
    const decoded = decodeEvent(encodeEvent({ exception })) as { exception: DOMException };
    expect(decoded.exception).toMatchObject({ name: 'AbortError', code: 20, stack: exception.stack });
  });

  test('what lies behind a view is left behind', () => {
    const memory = new Uint8Array(64).fill(7);
    memory.set(Buffer.from('canary-in-the-pool'), 32);
    const encoded = encodeEvent({ view: memory.subarray(0, 4) }) as Uint8Array;
    expect(Buffer.from(encoded).toString('latin1')).not.toContain('canary');
    expect(decodeEvent(encoded)).toEqual({ view: new Uint8Array([7, 7, 7, 7]) });
  });

  test('lists that were given a form of their own in JSON', () => {
    const lists: object = Array.prototype;
    Object.defineProperty(lists, 'toJSON', { value: () => 'no list', configurable: true });
    try {
      expect(decodeEvent(encodeEvent([1]))).toEqual([1]);
    } finally {
      Reflect.deleteProperty(lists, 'toJSON');
    }
  });
});

test('amendment 16: any value is decoded as structured clone would give it', () => {
  const value = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    withNullPrototype: true,
    withBoxedValues: true,
    withUnicodeString: true,
    maxDepth: 5,
  } as fc.ObjectConstraints);
  fc.assert(
    fc.property(value, (value) => {
      expect(decodeEvent(encodeEvent(value))).toStrictEqual(structuredClone(value));
      const state = stateOf(value);
      // Of a snapshot itself, undefined fields are left out.
      expect(decodeState(encodeState(state))).toEqual(structuredClone(state));
    }),
    { numRuns: 200 },
  );
});

describe('what cannot be stored is refused with the reason', () => {
  test.each<[string, unknown, RegExp]>([
    ['a function', { context: { run: () => 1 } }, /at context\.run: a function cannot be cloned/u],
    ['a symbol', [Symbol('x')], /at 0: a symbol/u],
    ['a promise', { p: Promise.resolve() }, /at p: a promise/u],
    ['a blob, which belongs to the process', { blob: new Blob(['a']) }, /belongs to this process/u],
    ['an answer of fetch', { answer: new Response('a') }, /at answer: an object of the class Response/u],
    ['shared memory', { m: new SharedArrayBuffer(1) }, /memory that threads share/u],
    [
      'a getter that throws',
      {
        get broken(): never {
          throw new Error('broken');
        },
      },
      /cannot be read/u,
    ],
  ])('%s', (_name, value, why) => {
    expect(thrownBy(() => encodeEvent(value))).toMatchObject({ code: 'MESSAGE_UNCLONABLE' });
    expect(thrownBy(() => encodeEvent(value)).message).toMatch(why);
    expect(thrownBy(() => encodeState(stateOf(value)))).toMatchObject({ code: 'REPLY_UNCLONABLE' });
  });

  test('a value that is nested deeper than a thread can be sure to read', () => {
    const nest = (levels: number): unknown => (levels === 1 ? {} : { next: nest(levels - 1) });
    expect(decodeEvent(encodeEvent(nest(MAX_LEVELS)))).toEqual(nest(MAX_LEVELS));
    expect(thrownBy(() => encodeEvent(nest(MAX_LEVELS + 1))).message).toContain('nested deeper');
    let deep: object = {};
    for (let i = 0; i < 200_000; i++) deep = { deep };
    expect(thrownBy(() => encodeState(stateOf(deep))).message).toContain('nested deeper');
    let machines: object = { status: 'active' };
    for (let i = 0; i < 200_000; i++) machines = { children: { below: { snapshot: machines } } };
    expect(thrownBy(() => encodeState({ snapshot: machines, timers: [] })).message).toContain(
      'nested deeper',
    );
  });
});

test.each<[string, unknown]>([
  ['text that is cut', '{"snapshot":{"context":"canary-'],
  ['a state without timers', '{"snapshot":{}}'],
  ['no object', '1'],
  ['bytes that are cut', encodeEvent(new Date()).slice(0, -3)],
  ['other bytes', new Uint8Array([1, 2, 3])],
  ['no bytes', new Uint8Array()],
  ['text with paths that are none', '\n{"a":1}\n{"snapshot":1,"timers":[]}'],
  ['text with a path to nothing', '\n[["a","b"]]\n{"snapshot":1,"timers":[]}'],
  ['text with a path out of the value', '\n[["__proto__","polluted"]]\n{"snapshot":1,"timers":[]}'],
  ['text with a path behind a list', '\n[["timers",4000000000]]\n{"snapshot":1,"timers":[]}'],
  ['text without a value', '\n'],
  ['something else', { snapshot: 1, timers: [] }],
  ['nothing', undefined],
])('a state cannot be read from %s', (_name, encoded) => {
  const error = thrownBy(() => decodeState(encoded));
  expect(error.code).toBe('STATE_INCOMPATIBLE');
  expect(error.message).not.toContain('canary');
  expect({}).not.toHaveProperty('polluted');
});
