import { expect, test } from 'vitest';
import { skeletonOf } from './skeleton.ts';

test('a skeleton has the fields that a schema requires and those with a default, each of its type', () => {
  const schema = {
    type: 'object',
    properties: {
      type: { const: 'order' },
      text: { type: 'string' },
      many: { type: 'integer', minimum: 3 },
      more: { type: 'number', exclusiveMinimum: 0 },
      is: { type: 'boolean' },
      either: { anyOf: [{ enum: ['b', 'c'] }, { type: 'null' }] },
      or: { type: ['string', 'null'] },
      list: { type: 'array', items: { $ref: '#/$defs/item' } },
      pair: { type: 'array', prefixItems: [{ type: 'string' }, { const: 7 }] },
      both: { allOf: [{ properties: { a: { examples: [1] } }, required: ['a'] }], properties: {} },
      any: {},
      mood: { type: 'string', default: 'calm' },
      left: { type: 'string' },
    },
    required: ['type', 'text', 'many', 'more', 'is', 'either', 'or', 'list', 'pair', 'both', 'any'],
    $defs: { item: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } },
  };
  expect(skeletonOf('order', schema)).toEqual({
    type: 'order',
    text: '',
    many: 3,
    more: 1,
    is: false,
    either: 'b',
    or: '',
    list: [{ name: '' }],
    pair: ['', 7],
    both: { a: 1 },
    any: null,
    mood: 'calm',
  });
});

test.each([
  ['nothing', {}],
  ['a reference to itself', { $ref: '#' }],
  ['a reference elsewhere', { $ref: 'https://example.com/schema' }],
  ['no alternative', { anyOf: [] }],
  ['nonsense', { type: 7, properties: [], required: {}, allOf: 'x', enum: [], items: 1 }],
])('of %s there is the type alone', (_, schema) => {
  expect(skeletonOf('go', schema)).toEqual({ type: 'go' });
});

test('a schema that refers to itself many times has a bounded skeleton', () => {
  const names = Array.from({ length: 50 }, (_, n) => `f${n}`);
  const properties = Object.fromEntries(names.map((name) => [name, { $ref: '#' }]));
  const skeleton = skeletonOf('go', { type: 'object', properties, required: names });
  expect(JSON.stringify(skeleton).length).toBeLessThan(10_000);
});

test('a field by the name of a prototype is a field', () => {
  const schema = JSON.parse('{"properties":{"__proto__":{"const":1}},"required":["__proto__"]}') as object;
  for (const one of [schema, { allOf: [schema] }])
    expect(JSON.stringify(skeletonOf('go', one as never))).toBe('{"type":"go","__proto__":1}');
});
