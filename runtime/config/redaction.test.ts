import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { configFolder, errorOf, errorOfText } from './fixtures/config-folder.ts';
import { isSensitive, plainText, printName, printReceived, typeOf } from './received.ts';

const CANARY = 'cnry-7f3a9';

describe('a credential in a config file is never printed', () => {
  // Each has a problem of its own beside or at the canary, most on the line that is shown.
  const texts: [where: string, text: string][] = [
    [
      'an option of externalSecrets',
      `{"agents": {}, "externalSecrets": {"provider": "x", "key": "${CANARY}"}}`,
    ],
    ['the name of a provider', `{"agents": {}, "externalSecrets": {"provider": "${CANARY}"}}`],
    ['a wrong type below externalSecrets', `{"agents": {}, "externalSecrets": "${CANARY}"}`],
    [
      'a region that is an object',
      `{"agents": {}, "externalSecrets": {"provider": "env", "region": {"x": "${CANARY}"}}}`,
    ],
    [
      'an option of another provider',
      `{"agents": {}, "secrets": {"providers": {"v": {"provider": 1, "pin": "${CANARY}"}}}}`,
    ],
    ['env of a pool', `{"agents": {}, "threads": {"p": {"env": {"A": "${CANARY}", "B": 1}}}}`],
    ['a grant', `{"agents": {"a": {"secrets": {"k": "${CANARY}"}}}}`],
    ['a reference', `{"agents": {"a": {"secrets": {"k": {"ref": "${CANARY}", "mode": "${CANARY}"}}}}}`],
    [
      'the alias of a grant',
      `{"agents": {"a": {"secrets": {"k": {"ref": {"id": "x", "provider": "${CANARY}"}}}}}}`,
    ],
    ['an unknown key', `{"agents": {}, "whatever": "${CANARY}", "other": ["${CANARY}"]}`],
    ['an unknown key of an agent', `{"agents": {"a": {"apiKey": "${CANARY}", "maxThreads": 0}}}`],
    ['a value in place of an agent', `{"agents": {"token": "${CANARY}"}}`],
    ['an object in place of a number', `{"agents": {"a": {"maxThreads": {"password": "${CANARY}"}}}}`],
    ['a long text', `{"agents": {"a": {"type": "${CANARY}${'x'.repeat(40)}", "maxThreads": 0}}}`],
    ['a comment', `{"agents": {"a": {"maxThreads": 0 /* ${CANARY} */}}} // ${CANARY}`],
    ['a comment of several lines', `{"agents": {"a": {"maxThreads":\n/* ${CANARY}\n${CANARY} */ 0 }}}`],
    ['a duplicate', `{"agents": {}, "agents": "${CANARY}"}`],
    ['what a forbidden key holds', `{"agents": {}, "__proto__": {"x": "${CANARY}"}}`],
    ['a string over two lines', `{"agents": {}, "whatever": "x\\\n${CANARY}", "b": 1}`],
    ['a broken file, before the break', `{"agents": {}, "pin": "${CANARY}" "x": 1}`],
    [
      'a broken file, at the break',
      `{"agents": {}, "pin": ${CANARY.replace('-', '')}}`.replace(CANARY.replace('-', ''), CANARY),
    ],
    ['a string that is not closed', `{"agents": {}, "pin": "${CANARY}\n}`],
    ['a comment that is not closed', `{"agents": {}} /* ${CANARY}`],
    ['a key in place of a value', `{"agents": {"${CANARY}"`],
    ['an escape that is none', `{"agents": "${CANARY}\\xzz"}`],
  ];

  test.each(texts)('%s', async (_where, text) => {
    const error = await errorOfText(text);
    expect(inspect(error, { depth: 10 })).not.toContain(CANARY);
    expect(JSON.stringify(error.problems)).not.toContain(CANARY);
    expect(error.problems.length).toBeGreaterThan(0);
  });

  test.each(texts.filter(([where]) => where !== 'a duplicate'))(
    '%s, in a config object',
    async (_where, text) => {
      let config: object;
      try {
        config = JSON.parse(text);
      } catch {
        return; // Only what is JSON can be an object.
      }
      const error = await errorOf(config);
      expect(inspect(error, { depth: 10 })).not.toContain(CANARY);
    },
  );

  test('but the words of a config are', async () => {
    const error = await errorOfText(`{"agents": {"secret-agent": {"type": "actor", "threadId": "t"}}}`);
    expect(error.message).toContain('expected "thread-bound", got "actor"');
    expect(error.message).toContain('"type": "actor", "threadId": "t"');
  });
});

describe('sensitive is', () => {
  test.each([
    [['externalSecrets', 'region'], true],
    [['secrets', 'providers', 'x', 'address'], true],
    [['agents', 'a', 'secrets', 'k', 'ref'], true],
    [['threads', 'p', 'env', 'LANG'], true],
    [['agents', 'a', 'api_key'], true],
    [['agents', 'a', 'AWS_SECRET_ACCESS_KEY'], true],
    [['agents', 'a', 'Authorization'], true],
    [['agents', 'a', 'dbPassword'], true],
    [['agents', 'token'], true],
    [['agents', 'token-agent', 'maxThreads'], false],
    [['threads', 'secret-threads', 'minThreads'], false],
    [['threads', 'env', 'minThreads'], false],
    [['agents', 'a', 'maxThreads'], false],
    [['agents', 'a', 'module'], false],
    [['agents', 'a', 'monkey'], false],
    [[], false],
    [[0, 1], false],
  ])('%j: %j', (path, expected) => {
    expect(isSensitive(path)).toBe(expected);
  });
});

describe('a received value', () => {
  test.each([
    ['x'.repeat(40), `"${'x'.repeat(40)}"`],
    ['x'.repeat(41), 'a string'],
    ['say "hi"\n', '"say \\"hi\\"\\n"'],
    [-0.5, '-0.5'],
    [NaN, 'NaN'],
    [null, 'null'],
    [true, 'true'],
    [undefined, 'nothing'],
    [10n, 'a bigint'],
    [() => 1, 'a function'],
    [Symbol('s'), 'a symbol'],
    [new URL('https://user:pass@x.example'), 'a URL'],
    [new Map([[1, 2]]), 'an object'],
    [[1, ['a', {}]], '[1,["a",{}]]'],
    [{ a: 1, pin: { token: 'x', deep: { deeper: {} } } }, '{"a":1,"pin":{"token":"…","deep":{"deeper":…}}}'],
    [{ long: 'y'.repeat(50) }, '{"long":"…"}'],
    [Array.from({ length: 100 }, () => 1234), '[1234,1234,1234,1234,1234,1234,1234,1234,1234,1234]'],
    [Array.from({ length: 100 }, () => 1_234_567), `[${'1234567,'.repeat(10)}`.slice(0, 59) + '…'],
  ])('%o is printed as %j', (value, printed) => {
    expect(printReceived(['agents', 'a', 'x'], value)).toBe(printed);
  });

  test('that contains itself is printed', () => {
    const value: Record<string, unknown> = {};
    value['self'] = value;
    expect(printReceived(['x'], value)).toBe('{"self":{"self":{"self":…}}}');
  });

  test('that is sensitive is only its type', () => {
    expect(printReceived(['externalSecrets', 'region'], [CANARY])).toBe('an array');
    expect(typeOf([CANARY])).toBe('an array');
  });
});

describe('a terminal is not told what to do', () => {
  const escape = '\u001b[31m\u202e\u0007\u2028';

  test('by names, values or source lines', async () => {
    const error = await errorOfText(`{"agents": {"${escape}": {"type": "${escape}", "maxThreads": 0}}}`);
    expect(error.message).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}]/u);
    expect(error.message).toContain('got "\\u001b[31m');
  });

  test('by the path of a module', async () => {
    const folder = await configFolder();
    const bound = { type: 'thread-bound', threadId: 'p', maxThreads: 1, module: `./a\n${escape}.ts` };
    const error = await errorOf(await folder.write('c.json', JSON.stringify({ agents: { a: bound } })));
    expect(error.message).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}]/u);
    expect(error.message).toContain(`${folder.path}/a??[31m???.ts`);
  });

  test('and long names are cut', () => {
    expect(plainText('a\tb')).toBe('a?b');
    expect(printName('n'.repeat(1000))).toHaveLength(62);
  });
});
