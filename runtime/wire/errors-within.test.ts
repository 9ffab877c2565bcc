import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../base/errors.ts';
import { findErrors, restoreErrors } from './errors-within.ts';

class Refused extends Error {}

const coded = (code: string): Error => Object.assign(new RangeError('far'), { code });

/** As it goes over a thread. */
function cross(value: unknown): unknown {
  const [copy, errors] = structuredClone([value, findErrors(value)]) as [unknown, never];
  return restoreErrors(copy, errors);
}

describe('errors within a value', () => {
  it('keep what structured clone drops, wherever they stand', () => {
    const back = cross({
      error: coded('A'),
      list: [1, [coded('B')]],
      map: new Map<unknown, unknown>([
        ['k', { deep: coded('C') }],
        [2, coded('D')],
      ]),
      holdfast: new HoldfastError('AGENT_STOPPED', 'gone'),
      own: new Refused('no'),
    }) as Record<string, unknown>;

    expect(back).toMatchObject({
      error: { code: 'A' },
      list: [1, [{ code: 'B' }]],
      own: { name: 'Refused', message: 'no' },
    });
    const map = back['map'] as Map<unknown, unknown>;
    expect([map.get('k'), map.get(2)]).toMatchObject([{ deep: { code: 'C' } }, { code: 'D' }]);
    expect(back['error']).toBeInstanceOf(RangeError);
    expect(back['holdfast']).toBeInstanceOf(HoldfastError);
  });

  it('may be the value itself', () => {
    expect(cross(coded('A'))).toMatchObject({ message: 'far', code: 'A' });
  });

  it('are found once for each place, also in circles', () => {
    const error = coded('A');
    const shared = { error };
    const ring: Record<string, unknown> = { a: shared, b: shared, error };
    ring['self'] = ring;

    expect(findErrors(ring)).toHaveLength(2);
    const back = cross(ring) as { a: { error: unknown }; b: unknown; self: unknown; error: unknown };
    expect([back.self, back.b]).toEqual([back, back.a]);
    expect([back.a.error, back.error]).toMatchObject([{ code: 'A' }, { code: 'A' }]);
  });

  it('cost nothing where there are none', () => {
    for (const value of [undefined, null, 1, 'text', {}, [1, { a: new Date(1) }], new Map([['a', 1]])]) {
      expect(findErrors(value)).toBeUndefined();
    }
  });

  it('are not looked for in what cannot be read, nor under keys that are objects', () => {
    const throwing = Object.defineProperty({ error: coded('A') }, 'bad', {
      enumerable: true,
      get() {
        throw new Error('read me not');
      },
    });

    expect(findErrors(throwing)).toBeUndefined();
    expect(findErrors(new Map([[{}, coded('A')]]))).toBeUndefined();
    expect(findErrors({ request: new Headers() })).toBeUndefined();
  });

  it('change nothing else, whatever the value', () => {
    const value = fc.anything({ withMap: true, withSet: true, withDate: true, withTypedArray: true });

    fc.assert(
      fc.property(value, fc.string(), (value, code) => {
        const back = cross({ value, error: coded(code) }) as { value: unknown; error: unknown };
        expect(back.value).toEqual(structuredClone({ value }).value);
        expect(back.error).toMatchObject({ code });
      }),
    );
  });
});

describe('what a thread made up', () => {
  it('replaces errors alone, and never throws', () => {
    const value = (): object => ({ error: new Error('plain'), list: [1], n: 2 });
    const path = fc.array(
      fc.oneof(
        fc.constantFrom('error', 'list', 'n', '__proto__', 'constructor', 'prototype', 0),
        fc.anything(),
      ),
    );
    const errors = fc.oneof(fc.anything(), fc.array(fc.oneof(fc.anything(), fc.tuple(path, fc.anything()))));

    fc.assert(
      fc.property(errors, (errors) => {
        const { error, ...rest } = restoreErrors(value(), errors as never) as Record<string, unknown>;
        expect(rest).toEqual({ list: [1], n: 2 });
        expect(error).toBeInstanceOf(Error);
        expect(Object.prototype).not.toHaveProperty('message');
      }),
      { examples: [[[[['error'], { raw: 1 }]]]], numRuns: 1000 },
    );
  });

  it('cannot reach a prototype', () => {
    const wire = { name: 'Error', message: 'polluted' };
    restoreErrors({ error: new Error('plain') }, [[['__proto__', 'message'], wire]]);
    restoreErrors(new Error('plain'), [[['constructor', 'prototype'], wire]]);

    expect(Error.prototype.message).toBe('');
  });

  it('are found in lists that are mostly holes, at the cost of what is in them', () => {
    const list: unknown[] = [];
    list[3_999_999_999] = coded('A');
    const back = (cross({ list }) as { list: unknown[] }).list;
    expect([back.length, back.at(-1)]).toMatchObject([4_000_000_000, { code: 'A' }]);
  });
});
