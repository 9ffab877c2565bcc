import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { IamPolicy } from './emulator/iam-access.ts';
import { testSecretProvider } from '../runtime/testing/secret-provider-cases.ts';
import {
  startSecretsManagerEmulator,
  type SecretsManagerEmulator,
} from './emulator/secrets-manager-emulator.ts';
import { createAwsSecretsManagerProvider } from './aws-secrets-manager.ts';
import { printedWithoutAwsRoles } from './fixtures/without-aws-roles.ts';
import { ProviderError, type SecretProvider } from './provider.ts';

let emulator: SecretsManagerEmulator;
let provider: SecretProvider;
const { signal } = new AbortController();

const everything: IamPolicy = { Statement: { Effect: 'Allow', Action: '*', Resource: '*' } };
const reading = (name: string): IamPolicy => ({
  Statement: {
    Effect: 'Allow',
    Action: ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret'],
    Resource: `arn:aws:secretsmanager:*:*:secret:${name}-*`,
  },
});
const ref = (id: string, role?: string) => ({ provider: 'default', id, ...(role !== undefined && { role }) });

const make = (options: object = {}, credentials = async () => emulator.credentials): SecretProvider =>
  createAwsSecretsManagerProvider(
    {
      region: emulator.region,
      endpoint: emulator.url,
      stsEndpoint: emulator.url,
      maxAttempts: 1,
      ...options,
    },
    { credentials },
  );

const read = async (id: string, role?: string): Promise<string> =>
  new TextDecoder().decode((await provider.fetch(ref(id, role), {}, signal)).bytes);
const kind = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error: unknown) => provider.classify(error),
  );
/** Who read what, oldest first. */
const readers = (): (readonly [caller: string | undefined, secret: string | undefined])[] =>
  emulator.requests
    .filter(({ operation }) => operation === 'GetSecretValue')
    .map(({ caller, secret }) => [caller?.replace(/^.*(?:role\/|:)/, ''), secret] as const);

beforeAll(async () => {
  emulator = await startSecretsManagerEmulator();
});
beforeEach(() => {
  emulator.reset();
  provider = make();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await provider.close?.();
});
afterAll(() => emulator.stop());

describe('as a role the provider keeps the rules of providers', () => {
  testSecretProvider({
    test,
    create() {
      const role = emulator.createRole('tck', everything);
      const own = make();
      return {
        provider: {
          ...own,
          describe: (one, ...rest) => own.describe({ ...one, role }, ...rest),
          fetch: (one, ...rest) => own.fetch({ ...one, role }, ...rest),
          fetchMany: async (all, ending) =>
            (await own.fetchMany?.(
              all.map((one) => ({ ...one, role })),
              ending,
            )) ?? new Map(),
        },
        put: (id, value) => emulator.put(id, value),
      };
    },
  });
});

describe('a role', () => {
  test('reads what it may, and the host what the host may', async () => {
    for (const name of ['a', 'b']) emulator.put(name, `value of ${name}`);
    const [roleA, roleB] = ['a', 'b'].map((name) => emulator.createRole(name, reading(name)));
    expect(await read('a', roleA)).toBe('value of a');
    expect(await read('b', roleB)).toBe('value of b');
    expect(await kind(provider.fetch(ref('b', roleA), {}, signal))).toBe('denied');
    expect(await kind(provider.describe(ref('b', roleA), signal))).toBe('denied');
    expect(await read('b')).toBe('value of b');
    expect(emulator.calls['AssumeRole']).toBe(2);
    expect(readers().map(([caller]) => caller)).toEqual([
      expect.stringContaining('a/holdfast'),
      expect.stringContaining('b/holdfast'),
      expect.stringContaining('a/holdfast'),
      'root',
    ]);
  });

  test('that does not exist, or that the host may not assume, is denied', async () => {
    emulator.put('a', 'value');
    expect(await kind(provider.fetch(ref('a', 'arn:aws:iam::000000000000:role/none'), {}, signal))).toBe(
      'denied',
    );
    const role = emulator.createRole('a', everything);
    const user = emulator.createUser(reading('a'));
    await provider.close?.();
    provider = make({}, async () => user);
    expect(await read('a')).toBe('value');
    expect(await kind(provider.fetch(ref('a', role), {}, signal))).toBe('denied');
  });

  test('is assumed once for many calls at one time', async () => {
    emulator.put('a', 'value');
    const role = emulator.createRole('a', everything);
    await Promise.all(Array.from({ length: 20 }, () => read('a', role)));
    expect(emulator.calls).toMatchObject({ AssumeRole: 1, GetSecretValue: 20 });
  });

  test('whose credentials have expired is assumed anew, once', async () => {
    emulator.put('a', 'value');
    const role = emulator.createRole('a', everything);
    await read('a', role);
    emulator.expireSessions();
    expect(await read('a', role)).toBe('value');
    expect(emulator.calls).toMatchObject({ AssumeRole: 2, GetSecretValue: 3 });
    const fault = emulator.fail('GetSecretValue', { error: 'ExpiredTokenException', times: 9 });
    expect(await kind(provider.fetch(ref('a', role), {}, signal))).toBe('expired-credentials');
    expect(fault.fired).toBe(2);
  });

  test('is assumed with new credentials of the host when those have expired', async () => {
    emulator.put('a', 'value');
    const role = emulator.createRole('a', everything);
    const [old, next] = [emulator.createUser(everything), emulator.createUser(everything)];
    let current = old;
    await provider.close?.();
    provider = make({}, async () => current);
    await read('a', role);
    current = next;
    emulator.expireSessions();
    const fault = emulator.fail('AssumeRole', { error: 'ExpiredTokenException' });
    expect(await kind(provider.fetch(ref('a', role), {}, signal))).toBe('expired-credentials');
    expect(fault.fired).toBe(1);
    expect(await read('a', role)).toBe('value');
    const assumers = emulator.requests.filter(({ operation }) => operation === 'AssumeRole');
    expect(new Set(assumers.map(({ caller }) => caller)).size).toBeGreaterThan(1);
  });

  test('whose STS fails or hangs is transient, and the next call tries again', async () => {
    emulator.put('a', 'value');
    const role = emulator.createRole('a', everything);
    const failing = emulator.fail('AssumeRole', { error: 'InternalFailure', status: 500, times: 1 });
    expect(await kind(provider.fetch(ref('a', role), {}, signal))).toBe('transient');
    const hanging = emulator.fail('AssumeRole', { hang: true });
    const ending = new AbortController();
    const waiting = kind(provider.fetch(ref('a', role), {}, ending.signal));
    await vi.waitFor(() => expect(hanging.fired).toBe(1));
    ending.abort();
    expect(await waiting).toBe('transient');
    await provider.close?.();
    expect(await read('a', role)).toBe('value');
    expect(failing.fired).toBe(1);
  });

  test('is read in batches of its own', async () => {
    const roles = ['a', 'b'].map((name) => emulator.createRole(name, everything));
    const refs = Array.from({ length: 50 }, (_, n) => ref(`s${n}`, [undefined, ...roles][n % 3]));
    for (const { id } of refs) emulator.put(id, `value of ${id}`);
    const found = await provider.fetchMany?.(refs, signal);
    expect([...(found?.values() ?? [])].filter((one) => one instanceof ProviderError)).toEqual([]);
    expect(found?.size).toBe(50);
    expect(emulator.calls).toEqual({ AssumeRole: 2, BatchGetSecretValue: 3 });
  });
});

describe('the clients of roles', () => {
  test('are twenty at most: the one that was used longest ago is closed', async () => {
    emulator.put('a', 'value');
    const roles = Array.from({ length: 21 }, (_, n) => emulator.createRole(`r${n}`, everything));
    const closed = vi.spyOn(SecretsManagerClient.prototype, 'destroy');
    for (const role of roles.slice(0, 20)) await read('a', role);
    await read('a', roles[0]);
    expect(emulator.calls['AssumeRole']).toBe(20);
    expect(closed).not.toHaveBeenCalled();
    await read('a', roles[20]);
    await vi.waitFor(() => expect(closed).toHaveBeenCalledOnce());
    await read('a', roles[0]);
    expect(emulator.calls['AssumeRole']).toBe(21);
    await read('a', roles[1]);
    expect(emulator.calls['AssumeRole']).toBe(22);
  });

  test('are not closed while a call runs', async () => {
    emulator.put('a', 'value');
    emulator.put('slow', 'slow value');
    const roles = Array.from({ length: 21 }, (_, n) => emulator.createRole(`r${n}`, everything));
    const slow = emulator.fail('GetSecretValue', { latencyMs: 1_500, secret: 'slow' });
    const closed = vi.spyOn(SecretsManagerClient.prototype, 'destroy');
    const reading = read('slow', roles[0]);
    await vi.waitFor(() => expect(slow.fired).toBe(1));
    for (const role of roles.slice(1)) await read('a', role);
    const before = closed.mock.calls.length;
    expect(await reading).toBe('slow value');
    await vi.waitFor(() => expect(closed.mock.calls.length).toBe(1));
    expect(before).toBe(0);
  });

  test('are all closed in the end', async () => {
    emulator.put('a', 'value');
    const closed = vi.spyOn(SecretsManagerClient.prototype, 'destroy');
    await read('a');
    await read('a', emulator.createRole('r', everything));
    await provider.close?.();
    expect(closed).toHaveBeenCalledTimes(2);
  });
});

test('without the package for roles the error says what to install, and other reads go on', async () => {
  emulator.put('a', 'value');
  const program = `
    const credentials = ${JSON.stringify(emulator.credentials)};
    const options = { region: 'ap-east-1', endpoint: '${emulator.url}' };
    const provider = createAwsSecretsManagerProvider(options, { credentials });
    const { signal } = new AbortController();
    await provider.fetch({ provider: 'default', id: 'a' }, {}, signal);
    await provider.fetch({ provider: 'default', id: 'a', role: 'arn:aws:iam::1:role/r' }, {}, signal).catch(
      (error) => console.log(provider.classify(error), error.message),
    );
    await provider.close();`;
  const stdout = await printedWithoutAwsRoles(program);
  expect(stdout).toContain('invalid To read a secret as a role');
  expect(stdout).toContain('npm install @aws-sdk/credential-providers');
});
