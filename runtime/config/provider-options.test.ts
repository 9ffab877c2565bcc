import { inspect } from 'node:util';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { createRuntime } from '../runtime.ts';
import { builtinProviders } from '../../providers/builtin-providers.ts';
import { configFolder, errorOf, errorOfText, inShort } from './fixtures/config-folder.ts';
import { loadConfig, validateConfig } from './load.ts';

const CANARY = 'cnry-7f3a9';
const seed = new URL('./fixtures/seed-openclaw.json', import.meta.url);

/** A config file whose second line is `externalSecrets`. */
const external = (options: string) => `{"agents": {},\n"externalSecrets": {${options}}}`;

describe('the options of a built-in provider', () => {
  test('are checked in the one report: a typo in the seed has its line, its column and what was meant', async () => {
    const text = (await readFile(seed, 'utf8')).replace('"region"', '"regoin"').replace(': 8', ': 0');
    const folder = await configFolder(['security-agent', 'finance-agent', 'trading-agent']);
    const error = await errorOf(await folder.write('c.json', text));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.problems.map(inShort)).toEqual([
      'unknown-key 4:5 externalSecrets.regoin',
      'out-of-range 21:21 agents.trading-agent.maxThreads',
    ]);
    expect(error.message).toContain(
      'c.json:4:5 externalSecrets.regoin: unknown key "regoin"; did you mean "region"?\n    4 |     "regoin": …,',
    );
  });

  test('are checked under every alias', async () => {
    const text = `{"agents": {}, "secrets": {"providers": {\n"far": {"provider": "aws-secrets-manager", "regoin": "x"}}}}`;
    const error = await errorOfText(text);
    expect(error.problems.map(inShort)).toEqual(['unknown-key 2:44 secrets.providers.far.regoin']);
  });

  test('are checked by validateConfig, createRuntime and in a config object', async () => {
    const config = { agents: {}, externalSecrets: { provider: 'aws-secrets-manager', regoin: 'x' } };
    const problems = [{ code: 'unknown-key', path: ['externalSecrets', 'regoin'] }];
    await expect(loadConfig(config)).rejects.toMatchObject({ code: 'CONFIG_INVALID', problems });
    await expect(validateConfig(config)).rejects.toMatchObject({ code: 'CONFIG_INVALID', problems });
    await expect(createRuntime(config)).rejects.toMatchObject({ code: 'CONFIG_INVALID', problems });
  });

  const cases: [what: string, options: string, inShort: string, message: string][] = [
    [
      'a wrong value',
      '"provider": "aws-secrets-manager", "maxAttempts": 0',
      'provider-option 2:71 externalSecrets.maxAttempts',
      '"maxAttempts" must be an integer above 0, not number',
    ],
    [
      'an endpoint that is no URL',
      '"provider": "aws-secrets-manager", "endpoint": "localhost"',
      'provider-option 2:68 externalSecrets.endpoint',
      '"endpoint" must be an http or https URL, not string',
    ],
    [
      'a list that is none',
      '"provider": "env", "variables": "A"',
      'provider-option 2:53 externalSecrets.variables',
      '"variables" must be an array of environment variable names, not string',
    ],
    [
      'an option that is missing, at the declaration',
      '"provider": "file", "maxBytes": 5',
      'provider-option 2:20 externalSecrets',
      '"path" or "root" is needed: one file, or a folder',
    ],
    [
      'a credential',
      '"provider": "aws-secrets-manager", "accessKeyId": "x"',
      'provider-option 2:56 externalSecrets.accessKeyId',
      '"accessKeyId" does not belong in a config: credentials come from the AWS chain (environment, profile, role)',
    ],
    [
      'an option of another provider',
      '"provider": "env", "region": "x"',
      'unknown-key 2:40 externalSecrets.region',
      'unknown key "region"; the options of "env" are: variables',
    ],
    [
      'a key that every provider has, in other letters',
      '"provider": "env", "cacheTtl": 5',
      'unknown-key 2:40 externalSecrets.cacheTtl',
      'unknown key "cacheTtl"; did you mean "cacheTTL"?',
    ],
    [
      'what the schema refuses, once',
      '"provider": "aws-secrets-manager", "region": 5',
      'wrong-type 2:66 externalSecrets.region',
      'expected a non-empty string, got a number',
    ],
  ];

  test.each(cases)('%s', async (_what, options, short, message) => {
    const error = await errorOfText(external(options));
    expect(error.problems.map((problem) => [inShort(problem), problem.message])).toEqual([[short, message]]);
  });

  test('never have their values printed', async () => {
    for (const [provider, options] of [
      [
        'aws-secrets-manager',
        `"regoin": "${CANARY}", "endpoint": "${CANARY}", "maxSockets": {"x": "${CANARY}"}`,
      ],
      ['aws-secrets-manager', `"secretAccessKey": "${CANARY}", "credentials": ["${CANARY}"]`],
      ['env', `"variables": [1, "${CANARY}"], "pin": {"deep": "${CANARY}"}`],
    ] as const) {
      const text = external(`"provider": "${provider}", ${options}`);
      for (const error of [await errorOfText(text), await errorOf(JSON.parse(text) as object)]) {
        expect(error.problems.length).toBeGreaterThan(1);
        expect(inspect(error, { depth: 10 })).not.toContain(CANARY);
      }
    }
  });

  test('with names that a terminal would obey, or very many of them, are reported all the same', async () => {
    const strange = await errorOfText(external(`"provider": "env", "\u001b[31m${'x'.repeat(1000)}": 1`));
    expect(strange.problems.map(({ code }) => code)).toEqual(['unknown-key']);
    expect(strange.problems[0]?.message).not.toMatch(/\p{Cc}|x{100}/u);
    const many = Array.from({ length: 10_000 }, (_, index) => `"k${index}": 1`);
    const error = await errorOfText(external(`"provider": "env", ${many.join(',')}`));
    expect(error.problems).toHaveLength(10_000);
  });

  test('that are right, or undefined in an object, load and arrive without the undefined ones', async () => {
    const aws = { provider: 'aws-secrets-manager', region: 'ap-east-1', endpoint: undefined, maxAttempts: 2 };
    const env = { provider: 'env', region: undefined, variables: ['A'] };
    const loaded = await loadConfig({ agents: {}, externalSecrets: aws, secrets: { providers: { env } } });
    const [first, second] = loaded.providers.map(({ options }) => options);
    expect(first).toStrictEqual({ region: 'ap-east-1', maxAttempts: 2 });
    expect(second).toStrictEqual({ variables: ['A'] });
  });
});

test('the options of a custom provider are its own, even under the name of a built-in one', async () => {
  for (const provider of ['vault', 'env']) {
    const config = { agents: {}, externalSecrets: { provider, mount: 'kv' } };
    const loaded = await loadConfig(config, { customProviders: [provider] });
    expect(loaded.providers).toMatchObject([{ provider, options: { mount: 'kv' } }]);
  }
});

test('each built-in provider tells its options', () => {
  for (const builtin of builtinProviders.values()) {
    expect(builtin.optionNames.length).toBeGreaterThan(0);
    for (const option of builtin.optionNames) {
      expect(builtin.optionProblems({ [option]: Symbol(option) })).toContainEqual(
        expect.stringContaining(`"${option}" must be`),
      );
    }
    for (const option of builtin.refusedNames) {
      expect(builtin.optionProblems({ [option]: 'x' })).toEqual([expect.stringContaining('does not belong')]);
    }
  }
});
