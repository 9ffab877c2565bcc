import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
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
import { testSecretProvider } from '../runtime/testing/secret-provider-cases.ts';
import { classifyAwsError } from './aws-failures.ts';
import { awsSecretsManagerOptionProblems, createAwsSecretsManagerProvider } from './aws-secrets-manager.ts';
import type { SecretProvider } from './provider.ts';

let emulator: SecretsManagerEmulator;
let provider: SecretProvider;
const signal = new AbortController().signal;
const ref = (id: string, stage?: string) => ({
  provider: 'default',
  id,
  ...(stage !== undefined && { stage }),
});
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const kind = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => provider.classify(error),
  );

beforeAll(async () => {
  emulator = await startSecretsManagerEmulator();
});
beforeEach(() => {
  emulator.reset();
  provider = make();
});
afterEach(() => provider.close?.());
afterAll(() => emulator.stop());

const make = (
  options: object = {},
  credentials: () => Promise<typeof emulator.credentials> = async () => emulator.credentials,
) =>
  createAwsSecretsManagerProvider(
    { region: emulator.region, endpoint: emulator.url, ...options },
    { credentials },
  );

describe('the provider keeps the rules of providers', () => {
  testSecretProvider({
    test,
    create: () => ({
      provider: make({ maxAttempts: 1 }),
      put: (id, value) => emulator.put(id, value),
      hang() {
        emulator.fail('GetSecretValue', { hang: true });
        const before = emulator.calls['GetSecretValue'] ?? 0;
        return vi.waitFor(() => expect(emulator.calls['GetSecretValue']).toBe(before + 1));
      },
    }),
  });
});

describe('reading', () => {
  test('text and bytes both come as bytes, with version and stages', async () => {
    const versionId = emulator.put('text', 'grüße');
    emulator.put('bytes', Uint8Array.from([0, 200, 255]));
    const found = await provider.fetch(ref('text'), {}, signal);
    expect([text(found.bytes), found.versionId, found.stages]).toEqual(['grüße', versionId, ['AWSCURRENT']]);
    expect([...(await provider.fetch(ref('bytes'), {}, signal)).bytes]).toEqual([0, 200, 255]);
  });

  test('a version or a stage can be asked for', async () => {
    const first = emulator.put('k', 'one');
    emulator.rotate('k', 'two');
    const read = async (id: ReturnType<typeof ref>, selector = {}) =>
      text((await provider.fetch(id, selector, signal)).bytes);
    expect(await read(ref('k'))).toBe('two');
    expect(await read(ref('k'), { stage: 'AWSPREVIOUS' })).toBe('one');
    expect(await read(ref('k', 'AWSPREVIOUS'))).toBe('one');
    expect(await read(ref('k', 'AWSCURRENT'), { versionId: first })).toBe('one');
  });

  test('describe tells the version of the stage without reading the value', async () => {
    const previous = emulator.put('k', 'one');
    const current = emulator.rotate('k', 'two');
    expect(await provider.describe(ref('k'), signal)).toEqual({ current, previous });
    expect((await provider.describe(ref('k', 'AWSPREVIOUS'), signal)).current).toBe(previous);
    expect(await kind(provider.describe(ref('k', 'NONE'), signal))).toBe('not-found');
    expect(emulator.calls).toEqual({ DescribeSecret: 3 });
  });

  test('many are read twenty a call, and what fails for one is its own error', async () => {
    for (let n = 0; n < 45; n += 1) emulator.put(`s${n}`, `v${n}`);
    const refs = [...Array.from({ length: 45 }, (_, n) => ref(`s${n}`)), ref('absent')];
    const found = await provider.fetchMany?.(refs, signal);
    expect(found?.size).toBe(46);
    expect(found?.get('s44')).toMatchObject({
      bytes: new TextEncoder().encode('v44'),
      stages: ['AWSCURRENT'],
    });
    expect(found?.get('absent')).toMatchObject({ failure: 'not-found' });
    expect(emulator.calls).toEqual({ BatchGetSecretValue: 3 });
  });
});

test('a value that was read as bytes is replaced by bytes, another by a text where it is one', async () => {
  const sent: unknown[] = [];
  const send = vi.spyOn(SecretsManagerClient.prototype, 'send');
  onTestFinished(() => send.mockRestore());
  emulator.put('text', 'one');
  emulator.put('bytes', new TextEncoder().encode('{"a":1}'));
  for (const id of ['text', 'bytes']) {
    await provider.fetch(ref(id), {}, signal);
    await provider.put?.(ref(id), new TextEncoder().encode('two'), signal);
  }
  for (const [command] of send.mock.calls)
    if (command instanceof PutSecretValueCommand) sent.push(command.input);
  expect(sent).toEqual([
    { SecretId: 'text', SecretString: 'two' },
    { SecretId: 'bytes', SecretBinary: new TextEncoder().encode('two') },
  ]);
});

describe('failing', () => {
  test.each([
    ['AccessDeniedException', 400, 'denied', 1],
    ['ResourceNotFoundException', 400, 'not-found', 1],
    ['DecryptionFailure', 400, 'undecryptable', 1],
    ['InvalidParameterException', 400, 'invalid', 1],
    // What is about the host's own key, not about the secret: the key is looked for again, once.
    ['UnrecognizedClientException', 400, 'expired-credentials', 2],
    ['InvalidSignatureException', 403, 'expired-credentials', 2],
    ['MissingAuthenticationTokenException', 400, 'expired-credentials', 2],
    ['InvalidClientTokenId', 403, 'expired-credentials', 2],
    ['SignatureDoesNotMatch', 403, 'expired-credentials', 2],
    ['IncompleteSignature', 400, 'expired-credentials', 2],
    ['InternalServiceError', 500, 'transient', 3],
    ['SomethingNew', 400, 'transient', 1],
  ])('%s (%i) is %s after %i attempts', async (error, status, expected, attempts) => {
    emulator.put('k', 'one');
    emulator.fail('GetSecretValue', { error, status, times: 9 });
    expect(await kind(provider.fetch(ref('k'), {}, signal))).toBe(expected);
    expect(emulator.calls['GetSecretValue']).toBe(attempts);
  });

  test('throttling is throttling', async () => {
    emulator.fail('GetSecretValue', { error: 'ThrottlingException' });
    provider = make({ maxAttempts: 1 });
    expect(await kind(provider.fetch(ref('k'), {}, signal))).toBe('throttled');
  });

  test('a file of credentials that is not there is no trouble of the network', () => {
    const error = Object.assign(new Error('no'), { code: 'ENOENT', syscall: 'open', path: '/token' });
    expect(classifyAwsError(error)).toBe('expired-credentials');
    expect(classifyAwsError(Object.assign(new Error('no'), { code: 'ECONNRESET', syscall: 'read' }))).toBe(
      'transient',
    );
  });

  test('a secret that is marked for deletion is deleted, not invalid', async () => {
    emulator.put('k', 'one');
    const message = "You can't perform this operation on the secret because it was marked for deletion.";
    expect(classifyAwsError({ name: 'InvalidRequestException', message })).toBe('deleted');
    expect(classifyAwsError({ name: 'InvalidRequestException', message: 'else' })).toBe('invalid');
  });

  test.each([undefined, null, 'text', {}, { name: 1 }, { name: 'toString' }])('%j is transient', (error) => {
    expect(classifyAwsError(error)).toBe('transient');
  });

  test('a service that hangs ends at the request time out of each attempt', async () => {
    provider = make({ requestTimeoutMs: 100, maxAttempts: 2 });
    emulator.fail('GetSecretValue', { hang: true, times: 2 });
    expect(await kind(provider.fetch(ref('k'), {}, signal))).toBe('transient');
    expect(emulator.calls['GetSecretValue']).toBe(2);
  });

  test('a call ends at its deadline whatever its attempts', async () => {
    provider = make({ deadlineMs: 150, requestTimeoutMs: 3_600_000 });
    emulator.fail('GetSecretValue', { hang: true, times: 9 });
    expect(await kind(provider.fetch(ref('k'), {}, signal))).toBe('transient');
  });

  test("a caller's abort ends the call", async () => {
    emulator.fail('GetSecretValue', { hang: true });
    const aborting = new AbortController();
    const fetching = kind(provider.fetch(ref('k'), {}, aborting.signal));
    await vi.waitFor(() => expect(emulator.calls['GetSecretValue']).toBe(1));
    aborting.abort();
    expect(await fetching).toBe('transient');
  });

  test('a cut connection is tried again', async () => {
    emulator.put('k', 'one');
    emulator.fail('GetSecretValue', { reset: true });
    expect(text((await provider.fetch(ref('k'), {}, signal)).bytes)).toBe('one');
  });

  test('expired credentials are renewed once, and the call repeated once', async () => {
    emulator.put('k', 'one');
    const credentials = vi.fn<() => Promise<typeof emulator.credentials>>(async () => emulator.credentials);
    provider = make({}, credentials);
    emulator.fail('GetSecretValue', { error: 'ExpiredTokenException' });
    expect(text((await provider.fetch(ref('k'), {}, signal)).bytes)).toBe('one');
    const asked = credentials.mock.calls.length;
    emulator.fail('GetSecretValue', { error: 'ExpiredTokenException', times: 9 });
    expect(await kind(provider.fetch(ref('k'), {}, signal))).toBe('expired-credentials');
    expect(emulator.calls['GetSecretValue']).toBe(4);
    expect(credentials.mock.calls.length).toBe(asked + 1);
  });

  test('no credentials is a matter of credentials', async () => {
    provider = make({}, () =>
      Promise.reject(Object.assign(new Error('none'), { name: 'CredentialsProviderError' })),
    );
    expect(await kind(provider.fetch(ref('k'), {}, signal))).toBe('expired-credentials');
  });

  test('no error carries the value', async () => {
    emulator.put('k', 'CANARY-aws-1');
    emulator.fail('GetSecretValue', { garbage: true, times: 9 });
    const error: unknown = await provider.fetch(ref('k'), {}, signal).catch((reason: unknown) => reason);
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('CANARY');
  });
});

describe('options', () => {
  test.each([
    [{}, []],
    [{ region: 'ap-east-1', endpoint: 'https://vpce.example', maxAttempts: 2 }, []],
    [null, ['expected an object']],
    [{ regoin: 'x' }, [expect.stringContaining('"regoin" is not an option; there are: region')]],
    [{ region: '' }, ['"region" must be a non-empty string, not string']],
    [{ endpoint: 'ftp://x' }, ['"endpoint" must be an http or https URL, not string']],
    [
      { deadlineMs: 0, maxSockets: 1.5 },
      [expect.stringContaining('"deadlineMs"'), expect.stringContaining('"maxSockets"')],
    ],
    [{ secretAccessKey: 'CANARY-option' }, [expect.stringContaining('credentials come from the AWS chain')]],
  ])('%j have the problems %j', (options, problems) => {
    expect(awsSecretsManagerOptionProblems(options)).toEqual(problems);
  });

  test('what is wrong is listed without any value', () => {
    expect(() => createAwsSecretsManagerProvider({ secretAccessKey: 'CANARY-option', region: 1 })).toThrow(
      expect.objectContaining({
        message: expect.not.stringContaining('CANARY'),
        problems: [expect.any(String), expect.any(String)],
      }),
    );
  });
});

test('a new value becomes the current version, and a secret that is not there is not made', async () => {
  const first = emulator.put('prod/key', 'old');
  const put = await provider.put?.(ref('prod/key'), new TextEncoder().encode('new'), signal);
  const { bytes, versionId } = await provider.fetch(ref('prod/key'), {}, signal);
  expect(text(bytes)).toBe('new');
  expect(versionId).toBe(put?.versionId);
  expect((await provider.describe(ref('prod/key'), signal)).previous).toBe(first);
  const binary = new Uint8Array([0xff, 0x00]);
  await provider.put?.(ref('prod/key'), binary, signal);
  expect((await provider.fetch(ref('prod/key'), {}, signal)).bytes).toEqual(binary);
  expect(await kind(provider.put?.(ref('none'), binary, signal) ?? Promise.resolve())).toBe('not-found');
});
