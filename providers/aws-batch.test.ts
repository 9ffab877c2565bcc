import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest';
import {
  startSecretsManagerEmulator,
  type SecretsManagerEmulator,
} from './emulator/secrets-manager-emulator.ts';
import { createAwsSecretsManagerProvider } from './aws-secrets-manager.ts';
import { ProviderError, type FetchResult, type SecretProvider, type SecretRef } from './provider.ts';

let emulator: SecretsManagerEmulator;
let provider: SecretProvider;
const { signal } = new AbortController();
const ref = (id: string, rest: Partial<SecretRef> = {}): SecretRef => ({ provider: 'default', id, ...rest });

const make = (credentials = emulator.credentials): SecretProvider =>
  createAwsSecretsManagerProvider(
    { region: emulator.region, endpoint: emulator.url, stsEndpoint: emulator.url, maxAttempts: 1 },
    { credentials },
  );

/** What came for each id: the value, or the class of the failure. */
async function many(refs: readonly SecretRef[]): Promise<Record<string, string>> {
  const found = (await provider.fetchMany?.(refs, signal)) ?? new Map<string, FetchResult | ProviderError>();
  const told = [...found].map(([id, one]) => [
    id,
    one instanceof ProviderError ? `! ${one.failure}` : new TextDecoder().decode(one.bytes),
  ]);
  return Object.fromEntries(told) as Record<string, string>;
}

beforeAll(async () => {
  emulator = await startSecretsManagerEmulator();
});
beforeEach(() => {
  emulator.reset();
  provider = make();
});
afterEach(() => provider.close?.());
afterAll(() => emulator.stop());

test('a stage of its own is read by itself, the current ones in one call', async () => {
  for (const id of ['a', 'b', 'c']) emulator.put(id, `first ${id}`);
  for (const id of ['a', 'b', 'c']) emulator.rotate(id, `second ${id}`);
  const refs = [ref('a', { stage: 'AWSCURRENT' }), ref('b', { stage: 'AWSPREVIOUS' }), ref('c')];
  expect(await many(refs)).toEqual({ a: 'second a', b: 'first b', c: 'second c' });
  expect(emulator.calls).toEqual({ BatchGetSecretValue: 1, GetSecretValue: 1 });
});

test('one id twice is one question; with two stages or two roles it is none', async () => {
  for (const id of ['a', 'b', 'c']) emulator.put(id, id);
  const refs = [
    ref('a'),
    ref('a', { stage: 'AWSCURRENT' }),
    ref('b'),
    ref('b', { stage: 'AWSPREVIOUS' }),
    ref('c'),
    ref('c', { role: 'arn:aws:iam::1:role/r' }),
  ];
  expect(await many(refs)).toEqual({ a: 'a', b: '! invalid', c: '! invalid' });
  expect(emulator.requests.map(({ secrets }) => secrets)).toEqual([['a']]);
});

test('a name, an ARN and an ARN without its end are told apart in one batch', async () => {
  for (const id of ['a', 'b', 'c']) emulator.put(id, id);
  const arns = Object.fromEntries(
    await Promise.all(
      ['b', 'c'].map(async (id) => {
        await provider.describe(ref(id), signal);
        const { SecretsManagerClient, DescribeSecretCommand } =
          await import('@aws-sdk/client-secrets-manager');
        const { region, url: endpoint, credentials } = emulator;
        const client = new SecretsManagerClient({ region, endpoint, credentials });
        return [id, (await client.send(new DescribeSecretCommand({ SecretId: id }))).ARN ?? ''];
      }),
    ),
  ) as { b: string; c: string };
  const partial = arns.c.slice(0, -7);
  expect(await many([ref('a'), ref(arns.b), ref(partial)])).toEqual({
    a: 'a',
    [arns.b]: 'b',
    [partial]: 'c',
  });
  expect(emulator.calls).not.toHaveProperty('GetSecretValue');
});

test('a host that may not batch reads one by one', async () => {
  for (let n = 0; n < 30; n += 1) emulator.put(`s${n}`, `v${n}`);
  const user = emulator.createUser({
    Statement: { Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: '*' },
  });
  await provider.close?.();
  provider = make(user);
  const refs = Array.from({ length: 30 }, (_, n) => ref(`s${n}`));
  expect(await many([...refs, ref('absent')])).toMatchObject({ s0: 'v0', s29: 'v29', absent: '! not-found' });
  expect(emulator.calls).toEqual({ BatchGetSecretValue: 1, GetSecretValue: 31 });
});

test('that the host may not batch is remembered for five minutes, and a right that was given since is used', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  for (const id of ['a', 'b']) emulator.put(id, id);
  const fault = emulator.fail('BatchGetSecretValue', { error: 'AccessDeniedException' });
  const both = { a: 'a', b: 'b' };
  expect(await many([ref('a'), ref('b')])).toEqual(both);
  vi.advanceTimersByTime(299_999);
  expect(await many([ref('a'), ref('b')])).toEqual(both);
  expect([fault.fired, emulator.calls]).toEqual([1, { BatchGetSecretValue: 1, GetSecretValue: 4 }]);
  vi.advanceTimersByTime(1);
  expect(await many([ref('a'), ref('b')])).toEqual(both);
  expect(emulator.calls).toEqual({ BatchGetSecretValue: 2, GetSecretValue: 4 });
});

test('what fails for one is that one’s error: denied, undecryptable, deleted, not found', async () => {
  for (const id of ['good', 'denied', 'locked', 'deleted']) {
    emulator.put(id, id, id === 'locked' ? { kmsKey: 'arn:aws:kms:ap-east-1:123456789012:key/k' } : {});
  }
  emulator.disableKey('arn:aws:kms:ap-east-1:123456789012:key/k');
  emulator.delete('deleted');
  const user = emulator.createUser({
    Statement: [
      { Effect: 'Allow', Action: '*', Resource: '*' },
      { Effect: 'Deny', Action: 'secretsmanager:GetSecretValue', Resource: '*:secret:denied-*' },
    ],
  });
  await provider.close?.();
  provider = make(user);
  expect(await many(['good', 'denied', 'locked', 'deleted', 'absent'].map((id) => ref(id)))).toEqual({
    good: 'good',
    denied: '! denied',
    locked: '! undecryptable',
    deleted: '! deleted',
    absent: '! not-found',
  });
});

test('a malformed id does not spoil the batch for the others', async () => {
  emulator.put('good', 'good');
  const fault = emulator.fail('BatchGetSecretValue', { error: 'ValidationException' });
  expect(await many([ref('good'), ref('bad id')])).toMatchObject({ good: 'good' });
  expect(fault.fired).toBe(1);
});

test.each([
  ['ThrottlingException', 400, 'throttled'],
  ['InternalServiceError', 500, 'transient'],
])(
  '%s of a batch is the error of each of it, and is not asked for one by one',
  async (error, status, failure) => {
    for (let n = 0; n < 25; n += 1) emulator.put(`s${n}`, `v${n}`);
    const fault = emulator.fail('BatchGetSecretValue', { error, status });
    const told = await many(Array.from({ length: 25 }, (_, n) => ref(`s${n}`)));
    expect(Object.values(told).filter((one) => one === `! ${failure}`)).toHaveLength(20);
    expect(told).toMatchObject({ s20: 'v20', s24: 'v24' });
    expect(fault.fired).toBe(1);
    expect(emulator.calls).toEqual({ BatchGetSecretValue: 2 });
  },
);

test('expired credentials of a batch are renewed once', async () => {
  emulator.put('a', 'a');
  const fault = emulator.fail('BatchGetSecretValue', { error: 'ExpiredTokenException' });
  expect(await many([ref('a')])).toEqual({ a: 'a' });
  expect(fault.fired).toBe(1);
});

test('an abort rejects the whole', async () => {
  emulator.put('a', 'a');
  const fault = emulator.fail('BatchGetSecretValue', { hang: true });
  const ending = new AbortController();
  const asking = provider.fetchMany?.([ref('a')], ending.signal);
  await vi.waitFor(() => expect(fault.fired).toBe(1));
  ending.abort(new Error('given up'));
  await expect(asking).rejects.toThrow('given up');
});

describe('an answer in pages', () => {
  const ids = Array.from({ length: 20 }, (_, n) => `s${n}`);
  const all = Object.fromEntries(ids.map((id) => [id, `value of ${id}`]));
  beforeEach(() => {
    for (const id of ids) emulator.put(id, `value of ${id}`);
  });

  test('is read to its last page, with the errors of each', async () => {
    emulator.pageBatches([8, 1, 4]);
    emulator.delete('s9');
    expect(await many(ids.map((id) => ref(id)))).toEqual({ ...all, s9: '! deleted' });
    expect(emulator.calls).toEqual({ BatchGetSecretValue: 4 });
  });

  test('has nothing for anybody on a page: those that are left are read by themselves', async () => {
    emulator.pageBatches([17, 0]);
    expect(await many(ids.map((id) => ref(id)))).toEqual(all);
    expect(emulator.calls).toEqual({ BatchGetSecretValue: 2, GetSecretValue: 3 });
  });

  test.each([
    ['ThrottlingException', '! throttled', 0],
    ['ValidationException', 'value of s19', 2],
  ])('keeps what came before a page that fails with %s', async (error, last, singles) => {
    emulator.pageBatches([18]);
    emulator.fail('BatchGetSecretValue', { latencyMs: 0 });
    const fault = emulator.fail('BatchGetSecretValue', { error });
    const found = await many(ids.map((id) => ref(id)));
    expect(fault.fired).toBe(1);
    expect(found).toEqual({ ...all, s18: last.replace('s19', 's18'), s19: last });
    expect(emulator.calls).toEqual({
      BatchGetSecretValue: 2,
      ...(singles > 0 && { GetSecretValue: singles }),
    });
  });
});
