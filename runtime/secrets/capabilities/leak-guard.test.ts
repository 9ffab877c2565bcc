import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodings } from '../scrub/encodings.ts';
import { carriesValue, shortestGuarded } from './leak-guard.ts';
import { createScrubber } from '../scrub/scrubber.ts';

const value = fc.uint8Array({ minLength: shortestGuarded, maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const around = fc.uint8Array({ maxLength: 10 }).map((bytes) => Buffer.from(bytes));

describe('the leak guard', () => {
  test('finds a value in every encoding, wherever in the text it begins', () => {
    fc.assert(
      fc.property(value, around, around, (secret, before, after) => {
        const all = Buffer.concat([before, secret, after]);
        for (const encoding of ['base64', 'base64url', 'hex', 'latin1'] as const) {
          expect(carriesValue({ text: [`x${all.toString(encoding)}`] }, secret)).toBe(true);
        }
        expect(carriesValue(all.toString('hex').toUpperCase(), secret)).toBe(true);
        expect(carriesValue(all, secret)).toBe(true);
        expect(carriesValue(new Uint8Array(all).buffer, secret)).toBe(true);
      }),
    );
  });

  test('finds text of any language, in URLs and in JSON too', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 8 }), (text) => {
        for (const shown of [text, encodeURIComponent(text), JSON.stringify(text)]) {
          expect(carriesValue([`before ${shown} after`], Buffer.from(text))).toBe(true);
        }
      }),
    );
  });

  test('finds nothing that the scrubber would not find', () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 8, maxLength: 40 })
      .map((text) => Buffer.from(text));
    const long = fc.uint8Array({ minLength: 1000, maxLength: 1100 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(value, text, long), around, around, fc.nat(), (secret, before, after, which) => {
        const scrubber = createScrubber({ now: () => 0 });
        scrubber.learn('key', 'v1', secret);
        const forms = encodings(secret);
        const form = forms[which % forms.length] as Buffer;
        for (const bytes of [form, Buffer.concat([before, form, after])]) {
          for (const found of [bytes, bytes.toString('latin1'), bytes.toString()]) {
            expect(carriesValue(found, secret) && !scrubber.contains(found)).toBe(false);
          }
          expect(carriesValue(bytes, secret)).toBe(true);
        }
      }),
    );
  });

  test('does not find what is not there', () => {
    fc.assert(
      fc.property(value, fc.jsonValue(), (secret, found) => {
        expect(carriesValue(found, Buffer.concat([Buffer.from([0xfe, 0x01, 0xff]), secret]))).toBe(false);
      }),
    );
  });

  const secret = Buffer.from('CANARY-guarded');
  const text = secret.toString();
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = [cyclic, { text }];
  const deep: Record<string, unknown> = {};
  let inner = deep;
  for (let level = 0; level < 50_000; level += 1) inner = inner['next'] = {} as Record<string, unknown>;
  inner['text'] = text;
  test.each([
    ['a cycle', cyclic],
    ['a nesting deeper than the stack', deep],
    ['a map key', new Map([[text, 1]])],
    ['a map value', new Map([[1, { text }]])],
    ['a set', new Set([text])],
    ['an object key', { [text]: 1 }],
    ['the message of an error', new Error(`bad ${text}`)],
    ['the cause of an error', new Error('x', { cause: new Error(text) })],
    ['a field of an error', Object.assign(new Error('x'), { config: { headers: { authorization: text } } })],
    ['the errors of an aggregate', new AggregateError([new Error(text)])],
    ['a view into a larger buffer', new DataView(Buffer.from(`pad${text}pad`).buffer)],
    ['shared memory', sharedWith(text)],
  ])('looks into %s', (_, found) => {
    expect(carriesValue(found, secret)).toBe(true);
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a number', 12345678],
    ['a function', () => text],
    ['a big integer', 1n],
  ])('takes %s for harmless', (_, found) => {
    expect(carriesValue(found, secret)).toBe(false);
  });

  test('does not look for a value so short that it turns up by chance', () => {
    expect(carriesValue('the key is 1234567', Buffer.from('1234567'))).toBe(false);
    expect(carriesValue('the key is 12345678', Buffer.from('12345678'))).toBe(true);
  });
});

function sharedWith(text: string): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(text.length);
  new Uint8Array(shared).set(Buffer.from(text));
  return shared;
}
