import {
  BatchGetSecretValueCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  RotateSecretCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startSecretsManagerEmulator, type SecretsManagerEmulator } from './secrets-manager-emulator.ts';

let emulator: SecretsManagerEmulator;
let client: SecretsManagerClient;

const clientFor = (target: SecretsManagerEmulator, extra: object = {}): SecretsManagerClient =>
  new SecretsManagerClient({
    region: target.region,
    endpoint: target.url,
    credentials: target.credentials,
    maxAttempts: 1,
    requestHandler: { requestTimeout: 400, throwOnRequestTimeout: true },
    ...extra,
  });

beforeAll(async () => {
  emulator = await startSecretsManagerEmulator();
  client = clientFor(emulator);
});
beforeEach(() => emulator.reset());
afterAll(async () => {
  client.destroy();
  await emulator.stop();
});

const token = (letter: string): string => letter.repeat(32);
const get = (SecretId: string, selector: object = {}) =>
  client.send(new GetSecretValueCommand({ SecretId, ...selector }));
const describeSecret = (SecretId: string) => client.send(new DescribeSecretCommand({ SecretId }));
const create = (Name: string, SecretString: string, ClientRequestToken = token('a')) =>
  client.send(new CreateSecretCommand({ Name, SecretString, ClientRequestToken }));
const put = (SecretId: string, SecretString: string, ClientRequestToken: string, VersionStages?: string[]) =>
  client.send(
    new PutSecretValueCommand({
      SecretId,
      SecretString,
      ClientRequestToken,
      ...(VersionStages && { VersionStages }),
    }),
  );

describe('values and versions', () => {
  test('a created secret is read back with its version, stage, ARN and date', async () => {
    const created = await create('prod/key', 'one');
    const read = await get('prod/key');
    expect(read).toMatchObject({
      ARN: created.ARN,
      Name: 'prod/key',
      SecretString: 'one',
      VersionId: token('a'),
      VersionStages: ['AWSCURRENT'],
    });
    expect(read.CreatedDate).toBeInstanceOf(Date);
    expect(created.ARN).toMatch(/^arn:aws:secretsmanager:ap-east-1:\d{12}:secret:prod\/key-\w{6}$/);
    expect((await get(created.ARN ?? '')).SecretString).toBe('one');
    expect((await get(created.ARN?.slice(0, -7) ?? '')).SecretString).toBe('one');
  });

  test('bytes come back as the same bytes', async () => {
    const SecretBinary = Uint8Array.from([0, 255, 128, 10]);
    await client.send(new CreateSecretCommand({ Name: 'bin', SecretBinary }));
    expect((await get('bin')).SecretBinary).toEqual(SecretBinary);
  });

  test('a put moves AWSCURRENT, and AWSPREVIOUS follows it; older versions lose their labels and stay', async () => {
    await create('k', 'one');
    await put('k', 'two', token('b'));
    await put('k', 'three', token('c'));
    expect((await get('k')).SecretString).toBe('three');
    expect((await get('k', { VersionStage: 'AWSPREVIOUS' })).SecretString).toBe('two');
    expect((await get('k', { VersionId: token('a') })).SecretString).toBe('one');
    expect((await describeSecret('k')).VersionIdsToStages).toEqual({
      [token('b')]: ['AWSPREVIOUS'],
      [token('c')]: ['AWSCURRENT'],
    });
  });

  test('a version with labels of its own leaves AWSCURRENT where it is', async () => {
    await create('k', 'one');
    await put('k', 'two', token('b'), ['AWSPENDING']);
    expect((await get('k')).SecretString).toBe('one');
    expect((await get('k', { VersionStage: 'AWSPENDING' })).SecretString).toBe('two');
  });

  test('the same token with the same value is one version; with another value it is refused', async () => {
    await create('k', 'one');
    await put('k', 'two', token('b'));
    expect((await put('k', 'two', token('b'))).VersionId).toBe(token('b'));
    await expect(put('k', 'other', token('b'))).rejects.toMatchObject({ name: 'ResourceExistsException' });
    await expect(create('k', 'one')).resolves.toMatchObject({ VersionId: token('a') });
    await expect(create('k', 'one', token('z'))).rejects.toMatchObject({ name: 'ResourceExistsException' });
  });

  test('a label is moved only by who names the version that has it, also back to an older one', async () => {
    await create('k', 'one');
    await put('k', 'two', token('b'));
    const move = (input: object) =>
      client.send(
        new UpdateSecretVersionStageCommand({ SecretId: 'k', VersionStage: 'AWSCURRENT', ...input }),
      );
    await expect(move({ MoveToVersionId: token('a') })).rejects.toMatchObject({
      name: 'InvalidParameterException',
    });
    await expect(move({ RemoveFromVersionId: token('b') })).rejects.toMatchObject({
      name: 'InvalidParameterException',
    });
    await move({ MoveToVersionId: token('a'), RemoveFromVersionId: token('b') });
    expect((await get('k')).SecretString).toBe('one');
    expect((await describeSecret('k')).VersionIdsToStages).toEqual({
      [token('a')]: ['AWSCURRENT'],
      [token('b')]: ['AWSPREVIOUS'],
    });
  });

  test('RotateSecret leaves one AWSCURRENT, one AWSPREVIOUS and nothing pending', async () => {
    await create('k', 'one');
    const { VersionId = '' } = await client.send(new RotateSecretCommand({ SecretId: 'k' }));
    expect((await describeSecret('k')).VersionIdsToStages).toEqual({
      [VersionId]: ['AWSCURRENT'],
      [token('a')]: ['AWSPREVIOUS'],
    });
    expect((await get('k')).SecretString).not.toBe('one');
  });
});

describe('refusals', () => {
  test.each([
    [
      'an unknown secret',
      { SecretId: 'none' },
      'ResourceNotFoundException',
      "can't find the specified secret.",
    ],
    [
      'an unknown version',
      { SecretId: 'k', VersionId: token('x') },
      'ResourceNotFoundException',
      'for VersionId',
    ],
    [
      'an unknown stage',
      { SecretId: 'k', VersionStage: 'NONE' },
      'ResourceNotFoundException',
      'staging label: NONE',
    ],
    [
      'a version without the stage',
      { SecretId: 'k', VersionId: token('a'), VersionStage: 'X' },
      'InvalidRequestException',
      'not associated',
    ],
  ])('%s is refused as the service does it', async (_, input, name, message) => {
    await create('k', 'one');
    await expect(client.send(new GetSecretValueCommand(input))).rejects.toMatchObject({
      name,
      message: expect.stringContaining(message),
      $metadata: { httpStatusCode: 400 },
    });
  });

  test('a deleted secret can be described and restored but not read or made again', async () => {
    await create('k', 'one');
    await client.send(new DeleteSecretCommand({ SecretId: 'k', RecoveryWindowInDays: 7 }));
    const marked = {
      name: 'InvalidRequestException',
      message: expect.stringContaining('marked for deletion'),
    };
    await expect(get('k')).rejects.toMatchObject(marked);
    await expect(create('k', 'one')).rejects.toMatchObject({ name: 'InvalidRequestException' });
    expect((await describeSecret('k')).DeletedDate).toBeInstanceOf(Date);
    await client.send(new RestoreSecretCommand({ SecretId: 'k' }));
    expect((await get('k')).SecretString).toBe('one');
    await client.send(new DeleteSecretCommand({ SecretId: 'k', ForceDeleteWithoutRecovery: true }));
    await expect(describeSecret('k')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test('another access key is refused', async () => {
    const stranger = clientFor(emulator, { credentials: { accessKeyId: 'AKIAOTHER', secretAccessKey: 'x' } });
    await expect(stranger.send(new ListSecretsCommand({}))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
    });
    stranger.destroy();
  });

  test.each([
    [
      'an operation that is not emulated',
      'secretsmanager.GetRandomPassword',
      '{}',
      400,
      'UnknownOperationException',
    ],
    ['a target of another service', 'DynamoDB.GetItem', '{}', 400, 'UnknownOperationException'],
    ['what is not JSON', 'secretsmanager.GetSecretValue', '{', 400, 'SerializationException'],
    [
      'a body of more than 1 MiB',
      'secretsmanager.GetSecretValue',
      'x'.repeat(1_200_000),
      413,
      'RequestEntityTooLargeException',
    ],
  ])('%s is refused', async (_, target, body, status, type) => {
    const response = await fetch(emulator.url, {
      method: 'POST',
      headers: { 'x-amz-target': target, authorization: `Credential=${emulator.credentials.accessKeyId}/x` },
      body,
    });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ __type: type });
  });
});

describe('many', () => {
  test('a batch answers 20 at the most, with an error of its own for each that fails', async () => {
    for (let n = 0; n < 19; n += 1) emulator.put(`s${n}`, `v${n}`);
    const ids = Array.from({ length: 20 }, (_, n) => `s${n}`);
    const batch = await client.send(new BatchGetSecretValueCommand({ SecretIdList: ids }));
    expect(batch.SecretValues?.map((value) => value.SecretString)).toEqual(
      ids.slice(0, 19).map((id) => id.replace('s', 'v')),
    );
    expect(batch.Errors).toEqual([
      expect.objectContaining({ SecretId: 's19', ErrorCode: 'ResourceNotFoundException' }),
    ]);
    await expect(
      client.send(new BatchGetSecretValueCommand({ SecretIdList: [...ids, 's20'] })),
    ).rejects.toMatchObject({ name: 'InvalidParameterException' });
  });

  test('lists come in pages and hide what is marked for deletion', async () => {
    for (const name of ['a', 'b', 'c']) emulator.put(name, 'v');
    await client.send(new DeleteSecretCommand({ SecretId: 'b' }));
    const first = await client.send(new ListSecretsCommand({ MaxResults: 1 }));
    const second = await client.send(new ListSecretsCommand({ MaxResults: 1, NextToken: first.NextToken }));
    expect([first, second].map((page) => page.SecretList?.[0]?.Name)).toEqual(['a', 'c']);
    expect(second.NextToken).toBeUndefined();
    await expect(client.send(new ListSecretsCommand({ NextToken: 'nonsense' }))).rejects.toMatchObject({
      name: 'InvalidNextTokenException',
    });
  });
});

describe('the host side', () => {
  test('put and rotate return the version that is then current', async () => {
    const first = emulator.put('k', 'one');
    expect(await get('k')).toMatchObject({ VersionId: first, SecretString: 'one' });
    const second = emulator.rotate('k', 'two');
    expect(await get('k')).toMatchObject({ VersionId: second, SecretString: 'two' });
    expect(await get('k', { VersionStage: 'AWSPREVIOUS' })).toMatchObject({ VersionId: first });
    expect(emulator.calls).toEqual({ GetSecretValue: 3 });
  });

  test.each([
    ['an error', { error: 'ThrottlingException' }, 'ThrottlingException'],
    ['a server error', { error: 'InternalServiceError', status: 500 }, 'InternalServiceError'],
    ['a cut connection', { reset: true as const }, 'ECONNRESET'],
    ['garbage', { garbage: true as const }, 'SyntaxError'],
    ['silence', { hang: true as const }, 'TimeoutError'],
  ])('%s happens as often as asked for, then no more', async (_, fault, name) => {
    emulator.put('k', 'one');
    emulator.fail('GetSecretValue', { ...fault, times: 1 });
    const error: unknown = await get('k').catch((reason: unknown) => reason);
    expect([(error as Error).name, (error as NodeJS.ErrnoException).code]).toContain(name);
    expect((await get('k')).SecretString).toBe('one');
  });

  test('an answer can be late', async () => {
    emulator.put('k', 'one');
    emulator.fail('*', { latencyMs: 50 });
    const before = performance.now();
    await get('k');
    expect(performance.now() - before).toBeGreaterThanOrEqual(45);
  });

  test('stop cuts hung requests and open connections at once, and may be called again', async () => {
    const own = await startSecretsManagerEmulator();
    const asker = clientFor(own, { requestHandler: { requestTimeout: 20_000 } });
    own.fail('ListSecrets', { hang: true });
    const asked = asker.send(new ListSecretsCommand({})).catch((error: unknown) => error);
    while (own.calls['ListSecrets'] === undefined) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([own.stop(), own.stop()]);
    expect(await asked).toBeInstanceOf(Error);
    asker.destroy();
  });
});
