import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDocument } from '../config/document.ts';
import { Json5Edit } from './json5-edit.ts';

const old = `// the desk
{
  // stays with agents
  agents: {
    main: { type: 'thread-bound' }, // main's own
  },

  // about channels,
  // in two lines
  channels: { chat: { token: 'z' } }, // trailing
  /* of threads */
  threads: { p: { minThreads: 1 } }
}
// end
`;

test('a member goes with its comments, and all else stays', () => {
  const edit = new Json5Edit(old);
  edit.remove(['channels']);
  expect(edit.text).toBe(`// the desk
{
  // stays with agents
  agents: {
    main: { type: 'thread-bound' }, // main's own
  },

  /* of threads */
  threads: { p: { minThreads: 1 } }
}
// end
`);
});

test('a member comes in the style of the text', () => {
  const edit = new Json5Edit(old);
  edit.add([], 'secrets', { providers: { kept: { provider: 'file', root: "it's" } } });
  edit.add(['agents', 'main'], 'op-tion', [1, true]);
  edit.add(['threads', 'p'], 'env', {});
  expect(edit.text).toContain(`main: { type: 'thread-bound', 'op-tion': [1, true] }, // main's own`);
  expect(edit.text).toContain(`  threads: { p: { minThreads: 1, env: {} } },
  secrets: { providers: { kept: { provider: 'file', root: 'it\\'s' } } },
}
// end`);
});

test('strict JSON stays strict JSON', () => {
  const edit = new Json5Edit(`{\n  "a": 1,\n  "b": {"c": 2}\n}\n`);
  edit.remove(['b']);
  edit.add([], 'd', { e: 'x' });
  expect(edit.text).toBe(`{\n  "a": 1,\n  "d": { "e": "x" }\n}\n`);
  const line = new Json5Edit('{"a":1,"b":2}');
  line.remove(['a']);
  line.add([], 'c', 3);
  expect(JSON.parse(line.text)).toEqual({ b: 2, c: 3 });
});

test('the comments of what is written anew can be kept', () => {
  const edit = new Json5Edit(`{ agents: { list: [
    // the first
    { id: 'a', /* inner */ model: 'x' }, // behind
    { id: 'b' }, // of b
  ] } }`);
  expect(edit.commentsOf(['agents', 'list', 0])).toEqual(['// the first', '/* inner */', '// behind']);
  expect(edit.commentsOf(['agents', 'list', 1])).toEqual(['// of b']);
  edit.set(['agents'], { a: { n: 1 }, b: { n: 2 } }, new Map([['a', ['// the first', '/* inner */']]]));
  expect(edit.text).toBe(`{ agents: {
    // the first
    /* inner */
    a: { n: 1 },
    b: { n: 2 },
} }`);
});

describe('after any changes the text has just what it is to have', () => {
  const key = fc
    .oneof(fc.constantFrom('a', 'b', 'c-d', '1', 'ä'), fc.string({ minLength: 1, maxLength: 6 }))
    .filter((name) => !['__proto__', 'constructor', 'prototype'].includes(name));
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.integer(),
    fc.constantFrom(null, true, 'it\'s "x"', '\u2028'),
    fc.dictionary(key, fc.integer(), { maxKeys: 3, noNullPrototype: true }),
    fc.array(fc.integer(), { maxLength: 2 }),
  );
  const change = fc.record({ key, value: fc.option(value, { nil: undefined }) });
  const styles: ((value: object) => string)[] = [
    (one) => JSON.stringify(one),
    (one) => JSON.stringify(one, undefined, 2),
    (one) =>
      JSON.stringify(one, undefined, '\t')
        .replaceAll(/([^{[,])\n/g, '$1, // c\n')
        .replaceAll(', // c\n}', ',\n}'),
    (one) => `// head\n${JSON.stringify(one, undefined, 2).replaceAll(/,\n/g, ', /* x */\n// y\n')} // tail`,
  ];
  test.each(styles.map((style, n) => [n, style] as const))('written in style %i', (_n, style) => {
    fc.assert(
      fc.property(
        fc.dictionary(key, value, { maxKeys: 5, noNullPrototype: true }),
        fc.array(change, { minLength: 1, maxLength: 5 }),
        (object, changes) => {
          const expected: Record<string, unknown> = { ...object };
          const text = style(object);
          fc.pre(parseDocument(text).findings.length === 0 && parseDocument(text).value !== undefined);
          const edit = new Json5Edit(text);
          for (const one of changes) {
            if (one.value === undefined || Object.hasOwn(expected, one.key)) {
              edit.remove([one.key]);
              delete expected[one.key];
            } else {
              edit.add([], one.key, one.value);
              expected[one.key] = one.value;
            }
            expect(parseDocument(edit.text)).toMatchObject({ findings: [] });
            expect(parseDocument(edit.text).value).toEqual(expected);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

test('lines end as those of the text do, and a byte order mark is no indent', () => {
  const written = '\uFEFF{ agents: {\r\n    list: [], // of all\r\n  },\r\n  gone: 1,\r\n}\r\n';
  const edit = new Json5Edit(written);
  edit.remove(['gone']);
  edit.set(['agents'], { a: { note: 'x'.repeat(100) } }, new Map([['a', ['/* one\r\n two */']]]));
  edit.add([], 'b', { note: 'y'.repeat(100) });
  expect(edit.text).toBe(
    [
      '\uFEFF{ agents: {',
      '    /* one',
      ' two */',
      '    a: {',
      `        note: '${'x'.repeat(100)}',`,
      '    },',
      '},',
      '    b: {',
      `        note: '${'y'.repeat(100)}',`,
      '    },',
      '}',
      '',
    ].join('\r\n'),
  );
});
