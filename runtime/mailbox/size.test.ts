import { serialize } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { measure } from './size.ts';

const MB = 1024 * 1024;

/** An array-like load that counts how many of its parts were looked at. */
function counted(length: number): { readonly array: unknown[]; readonly visited: () => number } {
  let visited = 0;
  const array: unknown[] = Array.from({ length });
  const part = {
    enumerable: true,
    configurable: true,
    get() {
      visited += 1;
      return 1;
    },
  };
  for (let n = 0; n < length; n++) Object.defineProperty(array, n, part);
  return { array, visited: () => visited };
}

describe('the estimate', () => {
  it('is within reason of what serializing takes, for any data', () => {
    const data = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      maxDepth: 4,
    });
    fc.assert(
      fc.property(data, (value) => {
        const real = serialize(value).length;
        const estimate = measure(value, Infinity) as number;
        expect(estimate).toBeLessThanOrEqual(16 * real + 64);
        expect(real).toBeLessThanOrEqual(3 * estimate + 64);
      }),
      { numRuns: 1000 },
    );
  });

  const large: Record<string, unknown> = {
    'a long text': 'x'.repeat(MB),
    'a long text of wide characters': 'ß→'.repeat(MB),
    'many numbers': Array.from({ length: 100_000 }, (_, n) => n),
    'many objects': Array.from({ length: 20_000 }, (_, id) => ({ id, name: `agent ${id}`, at: 1.5 })),
    bytes: new Uint8Array(MB),
    'a buffer of memory': new ArrayBuffer(MB),
    'a map': new Map(Array.from({ length: 10_000 }, (_, n) => [n, `value ${n}`])),
    'a set': new Set(Array.from({ length: 10_000 }, (_, n) => `value ${n}`)),
    'a huge integer': 2n ** 8_000_000n,
    'a negative huge integer': -(2n ** 8_000_000n),
    'an error with a long message': new Error('x'.repeat(MB)),
    'an error with a large cause': new Error('x', { cause: 'y'.repeat(MB) }),
    'a long pattern': new RegExp('x'.repeat(MB)),
    'many empty texts': Array.from({ length: 100_000 }, () => ''),
    'many nulls': Array.from({ length: 100_000 }, () => null),
    'long keys': { ['k'.repeat(MB)]: 1 },
  };

  it.each(Object.entries(large))('is neither far below nor far above for large data: %s', (_name, value) => {
    const real = serialize(value).length;
    const estimate = measure(value, Infinity) as number;

    expect(estimate).toBeGreaterThan(real / 4);
    expect(estimate).toBeLessThan(real * 10);
  });

  it('counts the whole memory behind a small view of it: that is what crosses', () => {
    const view = new Uint8Array(new ArrayBuffer(MB), 5, 1);
    expect(structuredClone(view).buffer.byteLength).toBe(MB);

    expect(measure(view, Infinity)).toBeGreaterThanOrEqual(MB);
    expect(measure({ view: new DataView(view.buffer, 0, 1) }, MB / 2)).toBe('too-large');
  });

  it('counts memory that several views share once', () => {
    const memory = new ArrayBuffer(MB);
    const views = Array.from({ length: 100 }, (_, n) => new Uint8Array(memory, n, 1));

    expect(measure(views, 2 * MB)).toBeLessThan(1.1 * MB);
    expect(measure(views, 2 * MB)).toBeGreaterThanOrEqual(MB);
  });

  it('counts no shared memory: it is not copied', () => {
    expect(measure(new SharedArrayBuffer(MB), Infinity)).toBeLessThan(100);
    expect(measure(new Uint8Array(new SharedArrayBuffer(MB)), Infinity)).toBeLessThan(100);
  });

  it('takes only an object’s own fields', () => {
    class Agent {
      readonly name = 'x';
      get inherited(): string {
        throw new Error('getters of the class do not cross');
      }
    }
    const inheriting = Object.create({ long: 'x'.repeat(MB) }) as object;

    expect(measure(new Agent(), 1000)).toBeLessThan(100);
    expect(measure(inheriting, 1000)).toBeLessThan(100);
  });
});

describe('cycles and shared parts', () => {
  it('end', () => {
    const cycle: Record<string, unknown> = { name: 'a' };
    cycle['self'] = cycle;
    const ring: unknown[] = [];
    const map = new Map<string, unknown>([['ring', ring]]);
    ring.push(ring, map, new Set([map, cycle]));

    expect(measure(cycle, MB)).toBeTypeOf('number');
    expect(measure(ring, MB)).toBeTypeOf('number');
  });

  it('end without walking every path: a doubled diamond of 60 levels', () => {
    let diamond: unknown = { end: true };
    for (let level = 0; level < 60; level++) diamond = [diamond, diamond];

    expect(measure(diamond, MB)).toBeTypeOf('number');
  });

  it('count once in large values', () => {
    const shared = { text: 'x'.repeat(1000) };
    const many = Array.from({ length: 100_000 }, () => shared);

    expect(measure(many, 2 * MB)).toBeTypeOf('number');
  });
});

describe('the limit', () => {
  it('is exact for a text: two bytes of header and one for each character', () => {
    expect(measure('x'.repeat(98), 100)).toBe(100);
    expect(measure('x'.repeat(99), 100)).toBe('too-large');
  });

  it('ends the walk of a long array before it begins', () => {
    const { array, visited } = counted(20_000);

    expect(measure(array, 10_000)).toBe('too-large');

    expect(visited()).toBe(0);
  });

  it('ends the walk of an object with many fields on the way', () => {
    const { array, visited } = counted(20_000);
    const object = Object.defineProperties(
      {},
      Object.getOwnPropertyDescriptors(array) as unknown as PropertyDescriptorMap,
    );

    expect(measure(object, 1000)).toBe('too-large');

    expect(visited()).toBeLessThan(1000);
  });

  it.each([
    ['map', new Map(Array.from({ length: 10_000 }, (_, n) => [n, n]))],
    ['set', new Set(Array.from({ length: 10_000 }, (_, n) => n))],
  ])('ends the walk of a large %s before it begins', (_kind, collection) => {
    let visited = 0;
    const iterate = collection[Symbol.iterator].bind(collection) as () => IterableIterator<unknown>;
    Object.defineProperty(collection, Symbol.iterator, {
      *value() {
        for (const item of iterate()) {
          visited += 1;
          yield item;
        }
      },
    });

    expect(measure(collection, 5000)).toBe('too-large');

    expect(visited).toBe(0);
  });

  it.each([
    ['bytes', new Uint8Array(64 * MB)],
    ['memory', new ArrayBuffer(64 * MB)],
    ['holes', Object.assign([], { length: 4_000_000_000 })],
  ])('needs no walk for %s', (_kind, value) => {
    expect(measure({ value }, MB)).toBe('too-large');
  });

  it('stops a deep value without running out of stack', () => {
    let deep: unknown = 'end';
    for (let level = 0; level < 1_000_000; level++) deep = { deep };

    expect(measure(deep, MB)).toBe('too-large');
  });

  it('never says too large for what is far below it, nor the other way round', () => {
    fc.assert(
      fc.property(fc.anything({ withMap: true, withSet: true }), fc.nat({ max: 2000 }), (value, limit) => {
        const real = serialize(value).length;
        const measured = measure(value, limit);
        const tooLarge = measured === 'too-large';
        expect(tooLarge && 16 * real + 64 <= limit).toBe(false);
        expect(!tooLarge && real > 3 * limit + 64).toBe(false);
      }),
    );
  });
});

describe('what resists being read', () => {
  it('makes measuring throw, as cloning would', () => {
    const fail = (): never => {
      throw new Error('read me not');
    };
    const getter = Object.defineProperty({}, 'x', { enumerable: true, get: fail });
    const handlers: ProxyHandler<object>[] = [{ get: fail }, { ownKeys: fail }, { getPrototypeOf: fail }];

    expect(() => measure({ deep: [getter] }, MB)).toThrow('read me not');
    expect(() => measure(new Proxy([1], { get: fail }), MB)).toThrow('read me not');
    for (const handler of handlers) {
      expect(() => measure(new Proxy({ x: 1 }, handler), MB)).toThrow('read me not');
    }
  });
});
