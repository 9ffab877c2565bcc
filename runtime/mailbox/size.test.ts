import { serialize } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesIn, MAX_LEVELS, measure } from './size.ts';

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

  const size = (value: unknown, limit = Infinity): unknown => {
    const found = measure(value, limit);
    return bytesIn(found) ?? found;
  };

  it('counts of memory what a view shows, and no more: that is what crosses', () => {
    const view = new Uint8Array(new ArrayBuffer(MB), 5, 1);

    expect(size({ view })).toBeLessThan(100);
    expect(size({ view: new DataView(view.buffer, 0, MB / 2) }, MB / 2)).toBe('too-large');
    expect(size({ text: Buffer.from('ok') })).toBeLessThan(100);
  });

  it('counts memory that several views show once', () => {
    const memory = new ArrayBuffer(MB);
    const views = Array.from({ length: 100 }, (_, n) => new Uint8Array(memory, n, MB / 2));

    expect(size(views)).toBeLessThan(0.6 * MB);
    expect(size([views, memory])).toBeLessThan(1.1 * MB);
    expect(size([new Uint8Array(memory), views, memory])).toBeLessThan(1.1 * MB);
    expect(size([new Uint8Array(memory, 0, MB / 2), new Uint8Array(memory, MB / 2)])).toBeGreaterThanOrEqual(
      MB,
    );
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

    expect(measure(deep, MB)).toBe('too-deep');
    expect(measure(deep, 1000)).toBe('too-large');
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

describe('the depth', () => {
  const nested: Record<string, (inner: unknown) => object> = {
    objects: (inner) => ({ inner }),
    'later fields': (inner) => ({ n: 1, first: { n: 1 }, inner, last: [] }),
    lists: (inner) => [inner],
    'named parts of lists': (inner) => Object.assign([], { inner }),
    maps: (inner) => new Map([['inner', inner]]),
    'keys of maps': (inner) => new Map([[inner, 1]]),
    sets: (inner) => new Set([inner]),
    causes: (inner) => new Error('x', { cause: inner }),
    classes: (inner) =>
      new (class {
        inner = inner;
      })(),
    'objects without a prototype': (inner) => Object.assign(Object.create(null) as object, { inner }),
  };
  const chain = (nest: (inner: unknown) => object, levels: number): object => {
    let value = nest(1);
    for (let level = 1; level < levels; level++) value = nest(value);
    return value;
  };

  it.each(Object.entries(nested))('of %s in each other is bounded', (_name, nest) => {
    // The last of `later fields` has a list and an object beside the inner one.
    const levels = nest(1).constructor === Object && 'first' in nest(1) ? MAX_LEVELS - 1 : MAX_LEVELS;
    expect(measure(chain(nest, levels), Infinity)).not.toBe('too-deep');
    expect(measure(chain(nest, levels + 1), Infinity)).toBe('too-deep');
  });

  it('of a list of parts is that of the deepest way to write them, each once', () => {
    const nodes: { next?: object; n: number }[] = Array.from({ length: 2000 }, (_, n) => ({ n }));
    nodes.forEach((node, i) => i > 0 && (node.next = nodes[i - 1] as object));
    // Each part leads to one that was written before.
    expect(measure(nodes, Infinity)).toBeTypeOf('number');
    // The first leads to all the others.
    expect(measure(nodes.toReversed(), Infinity)).toBe('too-deep');
  });

  it('is what a recursive reader finds, in whatever order and shape', () => {
    const graph = fc.array(fc.tuple(fc.nat(1200), fc.nat(1200), fc.nat(3)), {
      minLength: 300,
      maxLength: 1200,
    });
    fc.assert(
      fc.property(graph, (edges) => {
        const nodes: Record<string, unknown>[] = edges.map(() => ({}));
        edges.forEach(([a, b, kind], i) => {
          const [one, other] = [nodes[a % nodes.length], nodes[b % nodes.length]];
          Object.assign(nodes[i] as object, {
            next: nodes[i + 1],
            part: [{ one }, { other }, [one], null][kind],
          });
        });
        const seen = new Set<unknown>();
        const depth = (value: unknown, level: number): number => {
          if (typeof value !== 'object' || value === null || seen.has(value)) return 0;
          seen.add(value);
          let deepest = level;
          for (const part of Object.values(value)) deepest = Math.max(deepest, depth(part, level + 1));
          return deepest;
        };
        expect(measure(nodes[0], Infinity) === 'too-deep').toBe(depth(nodes[0], 1) > MAX_LEVELS);
      }),
      { numRuns: 50 },
    );
  });

  it('does not refuse a cycle: it says the size of what is in it once', () => {
    const cycle: Record<string, unknown> = { text: 'x'.repeat(10_000) };
    cycle['self'] = { cycle };
    expect(measure(cycle, MB)).toBeLessThan(10_200);
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
