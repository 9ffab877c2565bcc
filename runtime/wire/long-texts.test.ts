import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MARK, numbersIn, withoutMarks } from '../base/marked-text.ts';
import { LONG, type MarkedText, ToldTexts } from './long-texts.ts';

const long = (of: string): string => of.repeat(LONG);

/** Puts together what was told, as who has heard all of it. */
function listener(): (told: MarkedText) => string {
  let parts = new Map<unknown, unknown>();
  return ({ text, texts }) => {
    if (texts.includes(1)) parts = new Map();
    for (let i = 0; i < texts.length; i += 2) parts.set(texts[i], texts[i + 1]);
    return withoutMarks(text, (number) => parts.get(number) as string);
  };
}

const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.constantFrom(MARK, `${MARK}1`, `"${MARK}1"`, `,"\\u00011"`, '\\', '\ud800', '__proto__'),
);
const any = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    texts,
    texts.map((text) => long(`${text}.`)),
    fc.integer(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(texts, tie('value'), { maxKeys: 4 }),
  ),
})).value;

describe('a state with long texts', () => {
  test('is whole again where the texts are known, whatever is in it, over many states', () => {
    fc.assert(
      fc.property(fc.array(any, { maxLength: 4 }), (states) => {
        const [told, hear] = [new ToldTexts(), listener()];
        for (const state of states) expect(hear(told.encode({ state }))).toBe(JSON.stringify({ state }));
      }),
      { numRuns: 200 },
    );
  });

  test('tells a text once for all of its places, while it is in the state', () => {
    const told = new ToldTexts();
    const numbers = (value: object): unknown[] =>
      told.encode(value).texts.filter((text) => typeof text === 'number');
    expect(numbers({ a: long('a'), b: [long('a'), long('b')] })).toEqual([1, 2]);
    expect(numbers({ a: long('b'), n: 1 })).toEqual([]);
    expect(numbers({ a: long('a') })).toEqual([3]);
    told.forget();
    expect(numbers({ a: long('a') })).toEqual([1]);
  });

  test('a text is cut into parts, and no character with two halves is', () => {
    const text = `a${'\u{1F512}'.repeat(200_000)}`;
    const encoded = new ToldTexts().encode({ text });
    const parts = encoded.texts.filter((part) => typeof part === 'string');
    expect(numbersIn(encoded.text)).toEqual([1, 2, 3, 4]);
    for (const part of parts) expect(part.isWellFormed()).toBe(true);
    expect(JSON.parse(listener()(encoded))).toEqual({ text });
  });

  test('what is long is not changed where it stands', () => {
    const state = Object.freeze({ list: Object.freeze([long('a')]) });
    new ToldTexts().encode(state);
    expect(state).toEqual({ list: [long('a')] });
  });
});
