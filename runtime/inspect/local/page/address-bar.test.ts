import { expect, test } from 'vitest';
import { hashOf, placeOf } from './address-bar.ts';

test('a place is written to be read, and read as it was written', () => {
  const place = {
    actor: 'support/a b#&=%2F',
    moment: 'support/a b:7',
    find: 'is:failed "acme"',
    tab: 'letters',
  };
  expect(hashOf({ actor: 'support/ann' })).toBe('#actor=support/ann');
  expect(placeOf(hashOf(place))).toEqual(place);
  expect(hashOf({})).toBe('');
});

test('what is looked for in contexts is not written into the address', () => {
  expect(hashOf({ agent: 'support', find: 'is:failed context.customer = acme' })).toBe('#agent=support');
});

test('what the page does not know, or what is too long, is no part of a place', () => {
  expect(placeOf('#token=x&agent=support&__proto__=1&constructor=2&actor=')).toEqual({ agent: 'support' });
  expect(placeOf(`#actor=${'x'.repeat(1001)}&tab=letters`)).toEqual({ tab: 'letters' });
  expect(placeOf('#%')).toEqual({});
});
