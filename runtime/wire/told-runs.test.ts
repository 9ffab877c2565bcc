import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MARK, withoutMarks } from '../base/marked-text.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import { encodeState, encodeToldState } from './encoded-state.ts';
import { ToldTexts } from './long-texts.ts';
import { ToldRuns } from './told-runs.ts';

const LONG_FROM = 64;

interface Heard {
  /** The whole text, or `undefined` when JSON does not say all. */
  readonly text: string | undefined;
  /** The characters that had to be told. */
  readonly told: number;
}

/** Tells a value, and puts together what was told. */
function listener(least: number): (value: object) => Heard {
  const parts: string[] = [];
  let before = new Map<string, string>();
  let now = before;
  let told = 0;
  const part = (text: string): string => {
    told += text.length;
    return MARK + (parts.push(text) - 1) + MARK;
  };
  const runs = new ToldRuns({
    least,
    longFrom: LONG_FROM,
    part,
    long: (text) => {
      const mark = before.get(text) ?? now.get(text) ?? part(JSON.stringify(text));
      now.set(text, mark);
      return mark;
    },
  });
  return (value) => {
    [told, now] = [0, new Map()];
    if (!runs.tell(value, 0)) return { text: undefined, told };
    before = now;
    expect(runs.fresh).toBeGreaterThanOrEqual(runs.text.length);
    return { text: withoutMarks(runs.text, (number) => parts[number] as string), told };
  };
}

const entries = (count: number): object[] =>
  Array.from({ length: count }, (_, i) => ({ name: `an entry, ${i}`, amount: i, paid: false }));

describe('a large value in runs', () => {
  test('tells no more of the next value than what is near to what has changed', () => {
    const tell = listener(256);
    const value = { count: 0, entries: entries(200) };
    tell(value);
    const next = { count: 1, entries: value.entries.with(70, { name: 'another', amount: 1, paid: true }) };
    const { text, told } = tell(next);
    expect(text).toBe(JSON.stringify(next));
    expect(told).toBeLessThan(600);
    expect(tell(next).told).toBe(0);
  });

  test.each([
    ['at the front', (list: object[]) => [{ name: 'new' }, ...list]],
    ['in the middle', (list: object[]) => list.toSpliced(77, 3, { name: 'new' })],
    ['at the end', (list: object[]) => [...list, { name: 'new' }]],
    ['gone from the front', (list: object[]) => list.slice(1)],
    ['gone from the middle', (list: object[]) => list.toSpliced(77, 3)],
  ])('finds again what was there, where items are %s', (_where, change) => {
    const tell = listener(256);
    const list = entries(200);
    tell({ list });
    const next = { list: change(list) };
    const { text, told } = tell(next);
    expect(text).toBe(JSON.stringify(next));
    expect(told).toBeLessThan(2500);
  });

  test('a list that grows at its end has no run for each turn', () => {
    const tell = listener(256);
    let list: object[] = [];
    let told = 0;
    for (let i = 0; i < 400; i++) {
      list = list.concat([{ role: 'user', n: i }]);
      const heard = tell({ list });
      expect(heard.text).toBe(JSON.stringify({ list }));
      told = Math.max(told, heard.told);
    }
    expect(told).toBeLessThan(600);
  });

  test('what becomes of another type in place is told as it is', () => {
    const tell = listener(256);
    const one: Record<string, unknown> = { field: 1 };
    const list = entries(100).with(30, one);
    tell(list);
    for (const field of ['1', 1, true, 'true', null, 0, false, '', '0', 0]) {
      one['field'] = field;
      expect(tell(list).text).toBe(JSON.stringify(list));
    }
  });

  test('what is changed in place is told as it is', () => {
    const tell = listener(64);
    const list = entries(50) as { amount: number; more?: unknown }[];
    const value = { list };
    tell(value);
    (list[7] as { amount: number }).amount = -1;
    expect(tell(value).text).toBe(JSON.stringify(value));
    (list[20] as { more?: unknown }).more = [1];
    expect(tell(value).text).toBe(JSON.stringify(value));
    list.push({ amount: 3 });
    list.shift();
    expect(tell(value).text).toBe(JSON.stringify(value));
    (list[30] as { amount: number }).amount = -0;
    expect(tell(value).text).toBeUndefined();
  });

  test('what is frozen is not gone through again, and a field of it that is computed is', () => {
    let looks = 0;
    const item = new Proxy(Object.freeze({ name: 'n', of: Object.freeze([1, 2]) }), {
      ownKeys: (target) => {
        looks += 1;
        return Reflect.ownKeys(target);
      },
    });
    const list = [item, Object.freeze({ more: 'm'.repeat(50) }), 'a', 'b'.repeat(50)];
    const tell = listener(64);
    tell({ list });
    const before = looks;
    // Its own text is made of it as well.
    expect(tell({ list }).text).toBe(JSON.stringify({ list }));
    expect(looks).toBe(before + 1);
    let n = 0;
    const computed = [
      Object.freeze({
        get n() {
          return n;
        },
      }),
    ];
    tell({ computed });
    n = 1;
    expect(tell({ computed }).text).toBe('{"computed":[{"n":1}]}');
  });

  test.each([
    ['a part that stands in two places', (list: object[]) => [...list, list[3]]],
    ['a part that has come to stand in two places', (list: object[]) => list.with(44, list[3] as object)],
    ['a date', (list: object[]) => list.with(44, new Date(0))],
    ['a hole', (list: object[]) => Object.assign(list.slice(), { length: 60 })],
    ['a list with a name', (list: object[]) => Object.assign(list.slice(), { name: 1 })],
    ['no number', (list: object[]) => list.with(44, { amount: Number.NaN })],
    ['a form of its own', (list: object[]) => list.with(44, { toJSON: () => 1 })],
    ['a class', (list: object[]) => list.with(44, new URL('a:b'))],
    ['a function', (list: object[]) => list.with(44, { run: () => 1 })],
  ])('%s is not told', (_what, change) => {
    const tell = listener(64);
    const list = entries(50);
    tell({ list });
    expect(tell({ list: change(list) }).text).toBeUndefined();
    expect(listener(64)({ list: change(list) }).text).toBeUndefined();
  });
});

// --- any states -----------------------------------------------------------------------------------------------

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.constantFrom(MARK, `${MARK}1`, '"', '\\', '\ud800', '__proto__', 'context', 'l'.repeat(LONG_FROM)),
);
const leaf = fc.oneof(
  { arbitrary: text, weight: 10 },
  { arbitrary: fc.oneof(fc.integer(), fc.boolean()), weight: 20 },
  { arbitrary: fc.constantFrom(null, undefined, 0, 0.5, -1e300), weight: 10 },
  { arbitrary: fc.constantFrom(-0, Number.NaN, 1n), weight: 1 },
);
const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(text, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
})).value;

type Step = readonly [kind: number, at: number, value: unknown];
const step: fc.Arbitrary<Step> = fc.tuple(fc.nat(), fc.nat(), value);

/** Every list and object in a value, once for each way to it. */
function within(root: unknown, all: object[] = []): object[] {
  if (typeof root !== 'object' || root === null || all.length > 200) return all;
  all.push(root);
  for (const part of Object.values(root)) within(part, all);
  return all;
}

/** Another value: most of it the same, changed in place or copied as far as has changed. */
function changed(root: object, [kind, at, fresh]: Step): object {
  // It is changed in place, and is not to be another the next time.
  const given: unknown = structuredClone(fresh);
  const all = within(root);
  const one = all[at % all.length] as Record<string, unknown>;
  const keys = Object.keys(one);
  const key = keys[at % Math.max(1, keys.length)] ?? '0';
  const put = (to: object): object =>
    Object.defineProperty(to, key, { value: given, configurable: true, enumerable: true, writable: true });
  switch (kind % 9) {
    case 0:
      put(one);
      return root;
    case 1:
      if (Array.isArray(one)) one.splice(at % (one.length + 1), kind % 2, given);
      else delete one[key];
      return root;
    case 2:
      return copied(root, one, put(Array.isArray(one) ? one.slice() : { ...one }));
    case 3:
      return copied(
        root,
        one,
        Array.isArray(one) ? one.toSpliced(at % (one.length + 1), kind % 3, given) : {},
      );
    case 4:
      return copied(
        root,
        one,
        Array.isArray(one) ? one.toReversed() : Object.fromEntries(Object.entries(one).toReversed()),
      );
    case 5:
      for (const part of within(one)) Object.freeze(part);
      return root;
    case 6:
      // A part in two places, as often as a part that has moved.
      return { ...root, [key]: one };
    case 7:
      return structuredClone(root);
    default:
      return { ...root };
  }
}

/** The value with another part in place of one, copied as far as that. */
function copied(root: unknown, one: unknown, other: unknown): object {
  if (root === one) return other as object;
  if (typeof root !== 'object' || root === null) return root as object;
  let copy: Record<string, unknown> | undefined;
  for (const [key, part] of Object.entries(root)) {
    const next = copied(part, one, other);
    if (Object.is(next, part)) continue;
    copy ??= (Array.isArray(root) ? root.slice() : { ...root }) as Record<string, unknown>;
    Object.defineProperty(copy, key, { value: next, configurable: true, enumerable: true, writable: true });
  }
  return copy ?? root;
}

const stateOf = (context: object) => ({
  version: 'v',
  snapshot: { status: 'active', context, error: undefined },
  timers: [],
});

/** As it would be told without runs; `undefined` when JSON does not say all of it. */
function wholeText(state: PersistedState): string | undefined {
  try {
    const encoded = encodeState(state);
    return typeof encoded === 'string' ? encoded : undefined;
  } catch {
    return undefined;
  }
}

function attempt(change: () => object, otherwise: object): object {
  try {
    return change();
  } catch {
    // It is frozen, or cannot be cloned.
    return otherwise;
  }
}

const roots = fc.oneof(
  fc.dictionary(text, value, { maxKeys: 6, noNullPrototype: true }),
  fc.array(value, { maxLength: 8 }),
);

test('any value is told as JSON says it, whatever has become of the one before it', () => {
  fc.assert(
    fc.property(
      roots,
      fc.array(step, { maxLength: 8 }),
      fc.constantFrom(16, 40, 200),
      (first, steps, least) => {
        let [now, tell]: [object, ReturnType<typeof listener>] = [structuredClone(first), listener(least)];
        for (const next of [undefined, ...steps]) {
          const before = now;
          if (next !== undefined) now = attempt(() => changed(before, next), before);
          const whole = wholeText(stateOf(now));
          const { text: told } = tell(now);
          expect(told).toBe(whole === undefined ? undefined : JSON.stringify(now));
          if (told === undefined) tell = listener(least);
        }
      },
    ),
    { numRuns: 600 },
  );
});

test('any state is told as it is encoded, with what is undefined in it', () => {
  // As large as a state has to be to be told in runs.
  const ballast = entries(400);
  fc.assert(
    fc.property(roots, fc.array(step, { maxLength: 6 }), (first, steps) => {
      const told = new ToldTexts();
      const parts = new Map<unknown, unknown>();
      let now: object = structuredClone(first);
      for (const next of [undefined, undefined, ...steps]) {
        const before = now;
        if (next !== undefined) now = attempt(() => changed(before, next), before);
        const state = stateOf({ ballast, now });
        const marked = encodeToldState(state, told);
        const whole = wholeText(state);
        if (marked?.texts.includes(1) === true) parts.clear();
        for (const [i, part] of (marked?.texts ?? []).entries())
          if (i % 2 === 1) parts.set(marked?.texts[i - 1], part);
        const heard = marked && withoutMarks(marked.text, (number) => parts.get(number) as string);
        expect(heard).toBe(whole);
      }
    }),
    { numRuns: 40 },
  );
});
