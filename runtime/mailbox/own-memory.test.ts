import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { ownEvent, withOwnMemory, type Foreign } from './own-memory.ts';
import { measure, measureLeaving } from './size.ts';
import { markOf, setMoved, transfer } from './transfer.ts';

const CANARY = 'canary-beside-it-in-the-pool';

/** The value as it leaves. */
function left<T>(value: T): T {
  const size = measure(value, Infinity);
  return typeof size === 'object' ? (withOwnMemory(value, size) as T) : value;
}

/** The same of what is sent at once. */
function leaving<T>(value: T): T {
  const size = measureLeaving(value, new Set());
  return typeof size === 'object' ? (withOwnMemory(value, size) as T) : value;
}

/** A view of a part of what holds the canary. */
function cut<T extends ArrayBufferView>(View: new (memory: ArrayBuffer, at: number, length: number) => T): T {
  const memory = new ArrayBuffer(1024);
  new Uint8Array(memory).set(Buffer.from(CANARY), 512);
  return new View(memory, 16, 2);
}

const memoryOf = (view: ArrayBufferView): string =>
  Buffer.from(view.buffer as ArrayBuffer).toString('latin1');

describe('what lies behind a view does not leave', () => {
  const kinds = {
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    DataView,
  };

  it.each(Object.entries(kinds))('of a %s', (_name, View) => {
    const view = cut(View as unknown as typeof Uint8Array);
    const crossed = structuredClone(left({ view }).view);
    expect(crossed).toBeInstanceOf(View);
    expect(crossed.byteLength).toBe(view.byteLength);
    expect(crossed.buffer.byteLength).toBe(view.byteLength);
    expect(memoryOf(crossed)).not.toContain(CANARY);
  });

  it('of a small buffer, which Node cuts from its pool', () => {
    const secret = Buffer.from(CANARY);
    const small = Buffer.from('ok');
    expect(small.buffer).toBe(secret.buffer);
    expect(memoryOf(structuredClone(left(small)))).toBe('ok');
  });

  class Order {
    readonly bytes = Buffer.from('ok');
  }
  const list = Object.assign([1], { named: Buffer.from('ok') });
  const holders: [string, () => unknown, (crossed: never) => Uint8Array][] = [
    ['list', () => [[Buffer.from('ok')]], (crossed: Uint8Array[][]) => crossed[0]?.[0] as Uint8Array],
    ['list, by a name', () => list, (crossed: typeof list) => crossed.named],
    [
      'map',
      () => new Map([['a', Buffer.from('ok')]]),
      (crossed: Map<string, Uint8Array>) => crossed.get('a') as never,
    ],
    [
      'key of a map',
      () => new Map([[Buffer.from('ok'), 1]]),
      (crossed: Map<Uint8Array, 1>) => [...crossed.keys()][0] as never,
    ],
    ['set', () => new Set([Buffer.from('ok')]), (crossed: Set<Uint8Array>) => [...crossed][0] as Uint8Array],
    ['class', () => ({ order: new Order() }), (crossed: { order: Order }) => crossed.order.bytes],
    [
      'cause of an error',
      () => new TypeError('x', { cause: Buffer.from('ok') }),
      (crossed: Error) => crossed.cause as Uint8Array,
    ],
    [
      'object without a prototype',
      () => Object.assign(Object.create(null), { a: Buffer.from('ok') }) as object,
      (crossed: { a: Uint8Array }) => crossed.a,
    ],
    [
      'field with a special name',
      () =>
        JSON.parse('{"__proto__":1}', (key, value: unknown) =>
          key === '__proto__' ? Buffer.from('ok') : value,
        ) as object,
      (crossed: object) => Object.getOwnPropertyDescriptor(crossed, '__proto__')?.value as Uint8Array,
    ],
  ];

  it.each(holders)('in a %s', (_name, make, find) => {
    const crossed = find(structuredClone(left(make())) as never);
    expect(memoryOf(crossed)).toBe('ok');
  });

  /** Of the days before classes. */
  function Failure(this: { body: Buffer }): void {
    this.body = Buffer.from('ok');
  }
  Failure.prototype = Object.create(Error.prototype) as object;
  class Recent extends Map<string, Buffer> {
    override [Symbol.iterator](): MapIterator<[string, Buffer]> {
      return new Map<string, Buffer>()[Symbol.iterator]();
    }
  }
  class Chosen extends Set<Buffer> {
    override [Symbol.iterator](): SetIterator<Buffer> {
      return new Set<Buffer>()[Symbol.iterator]();
    }
  }
  class Chunk extends Uint8Array<ArrayBuffer> {
    override get byteLength(): number {
      return this.buffer.byteLength;
    }
  }
  const of = <T>(source: string, fill: (made: T) => unknown): T => {
    const made = runInNewContext(source) as T;
    fill(made);
    return made;
  };

  it.each<[string, () => unknown, (crossed: never) => Uint8Array]>([
    [
      'a getter that gives another view each time',
      () => ({
        get bytes() {
          return Buffer.from('ok');
        },
      }),
      ({ bytes }: { bytes: Uint8Array }) => bytes,
    ],
    [
      'an error by its prototype alone',
      () => new (Failure as unknown as new () => object)(),
      ({ body }: { body: Uint8Array }) => body,
    ],
    [
      'a map that iterates over something else',
      () => new Recent([['a', Buffer.from('ok')]]),
      (map: Map<string, Uint8Array>) => map.get('a') as never,
    ],
    [
      'a set that iterates over something else',
      () => new Chosen([Buffer.from('ok')]),
      (set: Set<Uint8Array>) => [...set][0] as never,
    ],
    ['a view that says that it shows all', () => cut(Chunk).fill(111), (view: Uint8Array) => view],
    [
      'a map of another realm',
      () => of<Map<string, Buffer>>('new Map()', (map) => map.set('a', Buffer.from('ok'))),
      (map: Map<string, Uint8Array>) => map.get('a') as never,
    ],
    [
      'a set of another realm',
      () => of<Set<Buffer>>('new Set()', (set) => set.add(Buffer.from('ok'))),
      (set: Set<Uint8Array>) => [...set][0] as never,
    ],
    [
      'the cause of an error of another realm',
      () =>
        of<Error>('new Error("x")', (error) =>
          Object.defineProperty(error, 'cause', { value: Buffer.from('ok') }),
        ),
      (error: Error) => error.cause as Uint8Array,
    ],
  ])('in %s: what cloning reads counts, not what the object says', (_name, make, find) => {
    const crossed = find(structuredClone(left(make())) as never);
    expect(crossed.buffer.byteLength).toBe(2);
  });

  it('beside what has fields that do not cross', () => {
    const idle = { by: { nobody() {} } };
    for (const made of [new Date(5), /x/u, Object('x') as object]) {
      const small = Buffer.from('ok');
      const crossed = structuredClone(leaving({ small, beside: Object.assign(made, idle) })) as {
        small: Uint8Array;
      };
      expect(memoryOf(crossed.small)).toBe('ok');
    }
  });

  it('however deep it stands, and however much stands around it', () => {
    let value: unknown = { view: cut(Uint8Array) };
    for (let level = 0; level < 400; level++) value = { value, more: [level, { level }] };
    let crossed = structuredClone(left(value)) as { value?: never; view: Uint8Array };
    while (crossed.value !== undefined) crossed = crossed.value;
    expect(crossed.view.buffer.byteLength).toBe(2);
  });
});

describe('what it was it still is', () => {
  it('a value without such a view, by identity', () => {
    const values = [
      new Uint8Array(8),
      new ArrayBuffer(8),
      new Float64Array(2),
      { a: [1, { b: new Date(5) }] },
      'x',
      null,
    ];
    for (const value of values) expect(left(value)).toBe(value);
  });

  it('one view at two places, two views of the same bytes, and what leads back', () => {
    const memory = new ArrayBuffer(64);
    const words = new Uint32Array(memory, 4, 4);
    const bytes = new Uint8Array(memory, 6, 2);
    const numbers = new Float64Array(memory, 8, 1);
    const value = { words, again: words, bytes, numbers, self: undefined as unknown };
    value.self = value;
    words[0] = 7;
    const crossed = structuredClone(left(value));
    expect(crossed.again).toBe(crossed.words);
    expect(crossed.self).toBe(crossed);
    expect([...crossed.words]).toEqual([...words]);
    crossed.words[1] = 0x01020304;
    expect(new Float64Array(crossed.numbers)).toEqual(
      new Float64Array(crossed.words.buffer, crossed.words.byteOffset + 4, 1),
    );
    expect(crossed.bytes.buffer).toBe(crossed.words.buffer);
    expect(crossed.words.buffer.byteLength).toBeLessThan(64);
  });

  it('views that only lie beside each other get nothing of each other', () => {
    const memory = new ArrayBuffer(64);
    const [one, other] = structuredClone(
      left([new Uint8Array(memory, 0, 8), new Uint8Array(memory, 8, 8)]),
    ) as [Uint8Array, Uint8Array];
    expect([one.buffer.byteLength, other.buffer.byteLength]).toEqual([8, 8]);
  });

  it('views that show all of a memory together, or stand beside it, keep it', () => {
    const memory = new ArrayBuffer(64);
    const both = { head: new DataView(memory, 0, 16), body: new Uint8Array(memory, 16) };
    const apart = left(both);
    expect([apart.head.buffer.byteLength, apart.body.buffer.byteLength]).toEqual([16, 48]);
    const beside = { memory, view: new Uint8Array(memory, 0, 2) };
    expect(left(beside)).toBe(beside);
  });

  it('memory that threads share, and what is to move', () => {
    const shared = { view: new Uint8Array(new SharedArrayBuffer(64), 0, 2) };
    expect(left(shared)).toBe(shared);
    const memory = new ArrayBuffer(64);
    const moving = transfer({ view: new Uint8Array(memory, 0, 2) }, [memory]);
    expect(left(moving)).toBe(moving);
  });

  it('errors, dates, patterns, blobs, maps with keys that are objects', () => {
    const key = { id: 1 };
    const value = {
      small: Buffer.from('ok'),
      error: Object.assign(new RangeError('far', { cause: new Error('near') })),
      date: new Date(5),
      pattern: /x/u,
      blob: new Blob(['x']),
      map: new Map([[key, key]]),
      holes: Object.assign([], { length: 3 }),
    };
    const crossed = structuredClone(left(value));
    expect(crossed.error).toBeInstanceOf(RangeError);
    expect([crossed.error.message, (crossed.error.cause as Error).message, crossed.error.stack]).toEqual([
      'far',
      'near',
      value.error.stack,
    ]);
    expect([crossed.date, crossed.pattern, crossed.blob.size]).toEqual([value.date, value.pattern, 1]);
    const [[from, to] = []] = crossed.map;
    expect([from, from === to]).toEqual([key, true]);
    expect([crossed.holes.length, 0 in crossed.holes]).toEqual([3, false]);
  });
});

describe('an event that waits without the rest', () => {
  it('moves what it was to move, once', () => {
    const memory = new ArrayBuffer(64);
    const event = transfer({ type: 'a', small: Buffer.from('ok'), view: new Uint8Array(memory, 0, 2) }, [
      memory,
    ]);
    const own = ownEvent(event, measure(event, Infinity) as Foreign);
    expect(own.view).toBe(event.view);
    expect(own.small.buffer.byteLength).toBe(2);
    expect([...(markOf(own)?.list ?? [])]).toEqual([memory]);
    setMoved(own);
    expect(markOf(event)?.moved).toBe(true);
  });

  it('from Node’s pool copies what was to move: the pool is for others too', () => {
    const small = Buffer.from('ok');
    const event = transfer({ type: 'a', small }, [small.buffer]);
    expect([...(markOf(event)?.list ?? [])]).toEqual([]);
    expect(ownEvent(event, measure(event, Infinity) as Foreign).small.buffer.byteLength).toBe(2);
  });
});
