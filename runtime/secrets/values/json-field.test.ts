import { expect, test } from 'vitest';
import { jsonField, missingField } from './json-field.ts';

const secret = Buffer.from(
  '{ "hubspot": { "accessToken": "tok" }, "foo.bar": "dotted", "foo": { "bar": "nested", "x.y": { "z": "deep" } },\n' +
    '  "port": 5432, "on": true, "pin": 12345678901234567890, "ver": 1.10, "big": 1e400, "none": null,\n' +
    '  "list": ["a", {"b": "c"}], "": "nameless", "a/b": "slash", "/foo/bar": "literal", "__proto__": "own" }',
);

test.each([
  ['hubspot.accessToken', 'tok'],
  ['hubspot', '{ "accessToken": "tok" }'],
  ['foo.bar', 'dotted'],
  ['foo.x.y.z', 'deep'],
  ['port', '5432'],
  ['on', 'true'],
  ['pin', '12345678901234567890'],
  ['ver', '1.10'],
  ['big', '1e400'],
  ['list', '["a", {"b": "c"}]'],
  ['list.0', 'a'],
  ['list.1.b', 'c'],
  ['a/b', 'slash'],
  ['/hubspot/accessToken', 'tok'],
  ['/a~1b', 'slash'],
  ['/list/1/b', 'c'],
  ['/foo/bar', 'literal'],
  ['__proto__', 'own'],
])('the field %j is %j, as it stands in the secret', (field, value) => {
  expect(jsonField(secret, field)?.toString()).toBe(value);
});

test.each([
  ['none', 'its field "none" is null, which is not a secret'],
  ['missing', 'it has no field "missing"'],
  ['hubspot.none', 'it has no field "hubspot.none"'],
  ['hubspot/accessToken', 'it has no field "hubspot/accessToken"'],
  ['list.length', 'it has no field "list.length"'],
  ['list.00', 'it has no field "list.00"'],
  ['toString', 'it has no field "toString"'],
  ['.', 'it has no field "."'],
])('there is no field %j: %s', (field, why) => {
  expect(jsonField(secret, field)).toBeUndefined();
  expect(missingField(secret, field)).toBe(why);
});

test('a text that is not JSON, and one that is no object, have no fields', () => {
  expect(missingField(Buffer.from('only a text'), 'x')).toBe('it is not JSON');
  for (const text of ['only a text', '"text"', '7', 'null'])
    expect(jsonField(Buffer.from(text), 'x')).toBeUndefined();
  expect(jsonField(Buffer.from('["x","y"]'), '1')?.toString()).toBe('y');
});
