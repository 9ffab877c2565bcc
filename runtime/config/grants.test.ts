import { expect, test } from 'vitest';
import { configFolder } from './fixtures/config-folder.ts';
import type { Grant } from './grant-schema.ts';
import { validateConfig, loadConfig } from './load.ts';
import type { ConfigError, ConfigProblem } from '../base/errors.ts';

async function problemsOf(grant: object): Promise<ConfigProblem[]> {
  const agent = {
    type: 'thread-bound',
    threadId: 'p',
    maxThreads: 1,
    secrets: { k: { ref: 'x', ...grant } },
  };
  const config = { externalSecrets: { provider: 'env' }, agents: { a: agent } };
  try {
    await validateConfig(config);
    return [];
  } catch (error) {
    return [...(error as ConfigError).problems];
  }
}

const inShort = ({ code, path }: ConfigProblem): string => `${code} ${path.slice(4).join('.')}`;
const inject = { mode: 'inject', hosts: ['api.example.com'] };

test('each mode is valid with what it needs', async () => {
  for (const grant of [
    inject,
    { mode: 'capability', capabilities: [] },
    { mode: 'reveal', unsafe: true },
    {
      ...inject,
      methods: ['POST'],
      paths: ['/', '/*', '/v1/*', '/v1/charges'],
      header: 'X-Key',
      format: '{}',
    },
    { ...inject, hosts: ['https://a.example:8443', '[::1]:8443', 'http://127.0.0.1:80', 'http://localhost'] },
    { ...inject, rate: '100/m', privateAddresses: ['10.0.0.0/8', 'fd00::1'], maxResponseBytes: 1 },
  ]) {
    expect.soft(await problemsOf(grant), JSON.stringify(grant)).toEqual([]);
  }
});

test.each([
  [{ mode: 'inject' }, ['missing-key hosts']],
  [{ mode: 'capability' }, ['missing-key capabilities']],
  [{ mode: 'reveal' }, ['missing-key unsafe']],
  [{ mode: 'reveal', unsafe: false }, ['wrong-type unsafe']],
  [{ ...inject, hosts: [] }, ['out-of-range hosts']],
  [{ ...inject, methods: [] }, ['out-of-range methods']],
  [{ ...inject, methods: ['get'] }, ['unknown-value methods.0']],
  [{ ...inject, methods: ['CONNECT'] }, ['unknown-value methods.0']],
  [{ ...inject, capabilities: [], unsafe: true }, ['wrong-mode capabilities', 'wrong-mode unsafe']],
  [
    { mode: 'reveal', unsafe: true, hosts: ['a'], rate: '1/s', header: 'X' },
    ['wrong-mode header', 'wrong-mode hosts', 'wrong-mode rate'],
  ],
  [{ ...inject, hots: ['a'] }, ['unknown-key hots']],
])('what a mode lacks, and what belongs to another, is a problem each (%#)', async (grant, expected) => {
  expect((await problemsOf(grant)).map(inShort).toSorted()).toEqual(expected);
});

test('the problem of a reveal without unsafe says what to write, and a mistyped key what was meant', async () => {
  expect((await problemsOf({ mode: 'reveal' }))[0]?.message).toContain('expected true, if this agent');
  expect((await problemsOf({ ...inject, hots: ['a'] }))[0]?.message).toContain('did you mean "hosts"?');
});

test.each([
  [
    'hosts',
    [
      '*.example.com',
      'api.example.com/v1',
      'user@h',
      'ftp://h',
      'h:99999',
      'http://example.com',
      'http://10.0.0.1',
      'http://127.0.0.1.nip.io',
      '',
    ],
  ],
  ['paths', ['v1', '/v1*', '/*/x', '/a/../b', '/a/./b', '/a b', '/a?b', '/a#b', '/ä', '/a\\b', '']],
  ['privateAddresses', ['10.0.0.0/33', '999.1.1.1', 'localhost', '::1/129', '10.0.0.0/']],
])('what is wrong with %s is found', async (key, wrong) => {
  for (const value of wrong) {
    const found = (await problemsOf({ ...inject, [key]: [value] })).map(inShort);
    expect.soft(found.length, value).toBe(1);
    expect.soft(found[0], value).toMatch(new RegExp(`^(invalid-format|out-of-range) ${key}\\.0$`));
  }
});

test.each([
  [
    'header',
    [
      '',
      'X Key',
      'X:Key',
      'X\nKey',
      'Host',
      'content-length',
      'Transfer-Encoding',
      'connection',
      'Proxy-Authorization',
    ],
  ],
  ['format', ['', 'Bearer', '{} {}', 'Bearer {}\r\nX: y', 'ä {}']],
  ['rate', ['50', '0/s', '50/d', '1.5/s', '/s', '123456/s']],
])('what is wrong with the %s is found', async (key, wrong) => {
  for (const value of wrong) {
    const found = (await problemsOf({ ...inject, [key]: value })).map(inShort);
    expect.soft(found.length, value).toBe(1);
    expect.soft(found[0], value).toMatch(new RegExp(`^(invalid-format|out-of-range) ${key}$`));
  }
});

test('a grant comes with the defaults of its mode, its hosts as origins and its rate in milliseconds', async () => {
  const { path } = await configFolder(['a']);
  const secrets: Record<string, Grant> = {
    least: { ref: 'x', mode: 'inject', hosts: ['API.example.com', 'http://localhost:8080'] },
    most: {
      ref: { id: 'x', role: 'arn:aws:iam::1:role/r', rotation: 'alternating-users' },
      mode: 'inject',
      hosts: ['a.example:443', '[::1]:8443'],
      methods: ['POST', 'GET'],
      paths: ['/v1/*'],
      header: 'X-Key',
      format: '{}',
      rate: '100/m',
      privateAddresses: ['::1'],
      maxResponseBytes: 9,
      maxRequestBytes: 33_554_432,
      maxStreamBytes: 1_073_741_824,
      idleTimeoutMs: 300_000,
      capture: true,
      required: true,
    },
    seen: { ref: 'x', mode: 'reveal', unsafe: true },
  };
  const agent = {
    type: 'thread-bound',
    threadId: 'p',
    maxThreads: 1,
    module: `${path}/agents/a.ts`,
    secrets,
  } as const;
  const { agents } = await loadConfig({ externalSecrets: { provider: 'env' }, agents: { a: agent } });
  const common = { provider: 'default', id: 'x', capabilities: [] };
  expect(agents[0]?.grants).toEqual([
    {
      ...common,
      label: 'least',
      mode: 'inject',
      inject: {
        origins: ['https://api.example.com', 'http://localhost:8080'],
        methods: ['GET'],
        paths: ['/*'],
        header: 'Authorization',
        format: 'Bearer {}',
        privateAddresses: [],
        maxResponseBytes: 1_048_576,
        maxRequestBytes: 33_554_432,
        maxStreamBytes: 1_073_741_824,
        idleTimeoutMs: 300_000,
      },
    },
    {
      ...common,
      label: 'most',
      role: 'arn:aws:iam::1:role/r',
      rotation: 'alternating-users',
      required: true,
      mode: 'inject',
      inject: {
        origins: ['https://a.example', 'https://[::1]:8443'],
        methods: ['POST', 'GET'],
        paths: ['/v1/*'],
        header: 'X-Key',
        format: '{}',
        rate: { requests: 100, withinMs: 60_000 },
        privateAddresses: ['::1'],
        maxResponseBytes: 9,
        maxRequestBytes: 33_554_432,
        maxStreamBytes: 1_073_741_824,
        idleTimeoutMs: 300_000,
        capture: true,
      },
    },
    { ...common, label: 'seen', mode: 'reveal' },
  ]);
});

test('an ARN of another region than that of its provider is a problem, with both regions', async () => {
  const arn = (region: string): string =>
    `arn:aws:secretsmanager:${region}:111122223333:secret:prod/key-AbCdEf`;
  const agent = (threadId: string, secrets: object) => ({
    type: 'thread-bound',
    threadId,
    maxThreads: 1,
    secrets,
  });
  const mode = { mode: 'capability', capabilities: [] };
  const config = {
    externalSecrets: { provider: 'aws-secrets-manager', region: 'eu-west-1' },
    secrets: {
      providers: {
        far: { provider: 'aws-secrets-manager', region: 'us-east-1' },
        any: { provider: 'aws-secrets-manager' },
      },
    },
    agents: {
      a: agent('p', {
        here: { ref: arn('eu-west-1'), ...mode },
        field: { ref: `${arn('us-east-1')}#key`, ...mode },
        far: { ref: { provider: 'far', id: arn('us-east-1') }, ...mode },
        near: { ref: { provider: 'far', id: arn('eu-west-1') }, ...mode },
        any: { ref: { provider: 'any', id: arn('eu-west-1') }, ...mode },
      }),
    },
  };
  const problems = await validateConfig(config).then(
    () => [],
    (error: ConfigError) => [...error.problems],
  );
  expect(problems.map(({ code, path, message }) => [code, path.slice(3).join('.'), message])).toEqual([
    ['secret-elsewhere', 'field.ref', expect.stringMatching(/in the region us-east-1.*reads in eu-west-1/)],
    ['secret-elsewhere', 'near.ref.id', expect.stringMatching(/in the region eu-west-1.*reads in us-east-1/)],
  ]);
  // A provider of one's own of that name knows better.
  await expect(validateConfig(config, { customProviders: ['aws-secrets-manager'] })).resolves.toBeDefined();
});
